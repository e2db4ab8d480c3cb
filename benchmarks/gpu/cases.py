"""The trainings that are measured."""

from __future__ import annotations

from models.training.settings import Precision, TrainingSettings

#: generator width, discriminator width, pixels a side, photos a step
CASES = ((30, 4, 64, 16), (30, 4, 128, 16), (72, 14, 256, 8))
TINY_CASES = ((4, 2, 32, 4),)
PRECISIONS: tuple[Precision, ...] = ("float32", "auto")


def cases(*, tiny: bool) -> tuple[tuple[int, int, int, int], ...]:
    return TINY_CASES if tiny else CASES


def settings_of(case: tuple[int, int, int, int], precision: Precision) -> TrainingSettings:
    generator, discriminator, image_size, batch_size = case
    return TrainingSettings(
        generator_complexity=generator,
        discriminator_complexity=discriminator,
        image_size=image_size,
        batch_size=batch_size,
        precision=precision,
    )
