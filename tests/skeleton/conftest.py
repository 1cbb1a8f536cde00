"""What do all tests of the skeleton share?"""

from tests.skeleton.bench import two

__all__ = ["two"]
