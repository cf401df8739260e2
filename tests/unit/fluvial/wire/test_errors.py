import inspect

from fluvial.wire import errors


def _classes() -> list[type[errors.FluvialError]]:
    return [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, Exception)]


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        name = line.lstrip(" │├└─").split(" ")[0]
        if name.isidentifier() and hasattr(errors, name):
            depth = (len(line) - len(line.lstrip(" │├└─")) - 4) // 4
            path[depth:] = [name]
            drawn[name] = path[-2] if depth else "Exception"
    assert drawn == {each.__name__: each.__bases__[0].__name__ for each in _classes()}


def test_only_an_outage_is_worth_the_same_call_again() -> None:
    assert [each.__name__ for each in _classes() if each.retriable] == ["TransportError"]


def test_every_error_says_what_it_is() -> None:
    assert all(each.__doc__ for each in _classes())
