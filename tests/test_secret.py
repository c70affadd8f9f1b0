from connectors.secret import MASK, Secret


def test_a_secret_never_prints_itself() -> None:
    secret = Secret("hunter2")
    shown = [str(secret), repr(secret), f"{secret}", f"{secret!r:>4}", "%s" % secret, str({"key": [secret]})]  # noqa: UP031
    assert all("hunter2" not in text and MASK in text for text in shown)


def test_a_secret_is_revealed_on_request() -> None:
    assert Secret("hunter2").reveal() == "hunter2"


def test_secrets_compare_by_value() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_an_empty_secret_is_none() -> None:
    assert not Secret("")
    assert Secret("a")
