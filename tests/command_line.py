"""What commands say to a user who makes a mistake."""


def mistake(result, printed=False):
    """Return the one line on stderr of a user's mistake, with something or nothing printed beside it."""
    code, out, err = result
    assert (code, bool(out)) == (4, printed)
    assert err.count("\n") == 1
    assert err.startswith("joulebench: ")
    return err
