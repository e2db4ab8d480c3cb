from tests.models.conftest import photo_cache  # noqa: F401
