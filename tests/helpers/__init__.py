"""What several tests share; import it as `from tests.helpers.… import …`."""
