"""What is imported for good: nothing is collected meanwhile, and things go on as they were."""

import gc

import pytest

from forehearth.core.imports import for_good


@pytest.fixture(autouse=True)
def collecting():
    yield
    gc.enable()


def test_nothing_is_collected_meanwhile_and_what_is_there_then_never():
    with for_good():
        assert not gc.isenabled()
        kept = ["imported"]
    assert gc.isenabled()
    assert not any(each is kept for each in gc.get_objects())


def test_an_import_that_fails_leaves_collection_on():
    with pytest.raises(ImportError), for_good():
        raise ImportError
    assert gc.isenabled()


def test_whoever_collects_nothing_goes_on_so():
    with for_good():
        with for_good():
            pass
        assert not gc.isenabled()
