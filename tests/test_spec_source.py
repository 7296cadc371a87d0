from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from rapidfire_lab.errors import SpecError
from rapidfire_lab.spec import HOOK_PARAMETERS
from rapidfire_lab.spec_source import SpecSource

HOOKS = {
    "row_prep": "self, row, cfg, mode",
    "create_model": "self, cfg",
    "compute_forward": "self, model, minibatch, cfg, mode",
}


def spec_class(name="MLSpec", *bases, **hooks):
    """Source of a class with hooks; a hook given as None is left out."""
    methods = {name: parameters for name, parameters in {**HOOKS, **hooks}.items() if parameters is not None}
    lines = [f"    def {name}({parameters}): ..." for name, parameters in methods.items()]
    return "\n".join([f"class {name}({', '.join(bases)}):", *(lines or ["    pass"]), ""])


def no_hooks(name="MLSpec", *bases):
    return spec_class(name, *bases, **dict.fromkeys(HOOKS))


@pytest.fixture
def write(tmp_path):
    """Write files by name and give the path of the first."""

    def write_files(files):
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else textwrap.dedent(content).encode())
        return tmp_path / next(iter(files))

    return write_files


@pytest.fixture
def read(write):
    """Read a spec from source text, with other files beside it."""
    return lambda main, **files: SpecSource.read(write({"spec.py": main, **files}))


def files_of(write, main_imports, *others):
    """Names of the files that belong to a spec with these imports, of those others that exist."""
    source = SpecSource.read(write({"spec.py": f"{main_imports}\n{spec_class()}", **dict(others)}))
    return sorted(set(source.sources) - {"spec.py"})


def refusal(read, *arguments, **files):
    with pytest.raises(SpecError) as caught:
        read(*arguments, **files)
    return str(caught.value)


# The class


@pytest.mark.parametrize(
    "text",
    [
        spec_class(),
        spec_class("MLSpec", "rapidfire_lab.MLSpec"),
        spec_class("MLSpec", "object") + spec_class("Other", "MLSpec"),
        spec_class("Helper") + spec_class(),
    ],
)
def test_a_class_named_mlspec_is_the_spec(read, text):
    assert read(text).spec_class() == "MLSpec"


@pytest.mark.parametrize("base", ["MLSpec", "rapidfire_lab.MLSpec", "lab.spec.MLSpec"])
def test_a_class_derived_from_mlspec_may_have_any_name(read, base):
    assert read(spec_class("Net") + spec_class("Digits", base)).spec_class() == "Digits"


def test_a_class_may_derive_through_a_sibling_module(read):
    source = read(
        "from common import Common\n" + no_hooks("Digits", "Common"),
        **{"common.py": spec_class("Common", "lab.MLSpec")},
    )
    assert source.spec_class() == "Digits"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "none"),
        ("x = 1", "none"),
        ("def MLSpec(): ...", "none"),
        (spec_class("Spec") + spec_class("Net", "nn.Module"), "Spec, Net"),
        (spec_class("One", "MLSpec") + spec_class("Two", "MLSpec"), "One, Two"),
        (spec_class("One", "MLSpec") + no_hooks("Two", "One"), "One, Two"),
        ("def outer():\n    class MLSpec: ...", "none"),
    ],
)
def test_without_exactly_one_spec_class_the_file_is_refused(read, text, found):
    message = refusal(read, text)
    assert "spec.py has no class named MLSpec" in message
    assert f"classes found: {found})" in message
    assert "derive exactly one class from rapidfire_lab.MLSpec" in message


# Files that belong to it


def test_the_spec_file_itself_is_the_main_one(read, tmp_path):
    source = read(spec_class())
    assert source.main == "spec.py"
    assert source.path == tmp_path / "spec.py"
    assert source.sources == {"spec.py": spec_class()}


@pytest.mark.parametrize(
    "statement",
    [
        "import nets",
        "import nets as n",
        "import os, nets",
        "from nets import Net",
        "from nets import *",
        "def f():\n    import nets",
        "try:\n    import nets\nexcept ImportError:\n    pass",
        "class Deep:\n    def f(self):\n        from nets import Net",
    ],
)
def test_sibling_modules_belong_to_it_wherever_they_are_imported(write, statement):
    assert files_of(write, statement, ("nets.py", ""), ("other.py", "")) == ["nets.py"]


def test_imports_are_followed_through_siblings_even_in_circles(write):
    others = {"a.py": "import b", "b.py": "import a, c", "c.py": "import spec", "d.py": "import a"}
    assert files_of(write, "import a", *others.items()) == ["a.py", "b.py", "c.py"]


@pytest.mark.parametrize(
    "statement", ["import nets", "import nets.deep.er", "from nets.deep import er", "from nets import deep"]
)
def test_packages_belong_to_it_as_a_whole(write, statement):
    package = ["nets/__init__.py", "nets/deep/__init__.py", "nets/deep/er.py", "nets/never_imported.py"]
    others = [(name, "") for name in package]
    assert files_of(write, statement, *others, ("nets/weights.bin", b"\xff"), ("deep.py", "")) == package


def test_a_folder_without_init_is_a_package_too(write):
    assert files_of(write, "from nets import small", ("nets/small.py", "")) == ["nets/small.py"]


def test_what_a_package_imports_from_outside_it_belongs_to_it(write):
    others = {
        "nets/__init__.py": "from . import small\nfrom .small import layers\nimport blocks",
        "nets/small.py": "from .. import up\nfrom .layers import Layer",
        "blocks.py": "import activations",
        "activations.py": "",
        "layers.py": "relative imports never lead here",
        "small.py": "nor here",
        "up.py": "nor here",
    }
    assert files_of(write, "import nets", *others.items()) == [
        "activations.py",
        "blocks.py",
        "nets/__init__.py",
        "nets/small.py",
    ]


def test_a_package_goes_before_a_module_of_its_name_as_in_python(write):
    assert files_of(write, "import nets", ("nets/__init__.py", ""), ("nets.py", "")) == ["nets/__init__.py"]
    assert files_of(write, "import bare", ("bare/part.py", ""), ("bare.py", "")) == ["bare.py"]


def test_copies_that_jupyter_keeps_do_not_belong_to_it(write):
    others = [
        ("nets/__init__.py", ""),
        ("nets/.ipynb_checkpoints/__init__-checkpoint.py", "no python"),
        ("nets/deep/.ipynb_checkpoints/er-checkpoint.py", "no python"),
    ]
    assert files_of(write, "import nets", *others) == ["nets/__init__.py"]


@pytest.mark.parametrize(
    "statement", ["import torch, os.path", "from __future__ import annotations", "from torch import nn"]
)
def test_installed_modules_and_unrelated_files_do_not_belong_to_it(write, statement):
    others = [("notes.py", "this is not python"), ("os_path.py", ""), ("nn.py", ""), ("annotations.py", "")]
    assert files_of(write, statement, *others) == []


# Its hash


def test_the_hash_changes_exactly_when_a_file_of_the_spec_does(write):
    files = {
        "spec.py": "import nets, pack\n" + spec_class(),
        "nets.py": "x = 1",
        "pack/__init__.py": "",
        "pack/part.py": "y = 1",
        "unrelated.py": "z = 1",
        "pack/data.txt": "one",
    }
    before = SpecSource.read(write(files)).hash
    assert SpecSource.read(write(files)).hash == before
    for name, text in files.items():
        changed = {**files, name: text + "\n# changed\n"}
        after = SpecSource.read(write(changed)).hash
        assert (after != before) == (name not in ("unrelated.py", "pack/data.txt")), name
    assert SpecSource.read(write(files)).hash == before
    assert SpecSource.read(write({**files, "pack/new.py": ""})).hash != before


def test_what_moves_from_one_file_to_another_changes_the_hash(read):
    main = "import a, b\n" + spec_class()
    one = read(main, **{"a.py": "x = 1\n", "b.py": ""}).hash
    assert read(main, **{"a.py": "", "b.py": "x = 1\n"}).hash != one


def test_the_hash_does_not_depend_on_where_the_spec_lies(write):
    names = ["one/spec.py", "two/spec.py"]
    write({name: spec_class() for name in names})
    one, two = (SpecSource.read(write({name: spec_class()})) for name in names)
    assert one.hash == two.hash


# What cannot be read


@pytest.mark.parametrize("value", [None, 5, object, b"spec.py", ["spec.py"]])
def test_something_other_than_a_path_is_refused(value):
    with pytest.raises(SpecError, match=f"path of a Python file.* not a {type(value).__name__}"):
        SpecSource.read(value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "absent.py", tmp_path):
        with pytest.raises(SpecError, match="There is no spec file") as caught:
            SpecSource.read(path)
        assert str(path) in str(caught.value)


def test_paths_may_be_text_relative_and_start_at_home(write, tmp_path, monkeypatch):
    write({"spec.py": spec_class()})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in ("spec.py", "~/spec.py", str(tmp_path / "spec.py"), Path("spec.py")):
        assert SpecSource.read(path).path == tmp_path / "spec.py"


@pytest.mark.parametrize("broken", ["def f(:\n    pass", "x = 1\0", "if True:\npass"])
def test_a_syntax_error_is_refused_naming_its_file(write, broken):
    for files in ({"spec.py": broken}, {"spec.py": "import nets\n" + spec_class(), "nets.py": broken}):
        path = write(files)
        with pytest.raises(SpecError, match="is not valid Python") as caught:
            SpecSource.read(path)
        assert str(path.parent / list(files)[-1]) in str(caught.value)


def test_text_that_is_not_utf8_is_refused(write):
    path = write({"spec.py": spec_class().encode() + "# naïve\n".encode("latin-1")})
    with pytest.raises(SpecError, match=r"spec\.py cannot be read as UTF-8"):
        SpecSource.read(path)


def test_a_byte_order_mark_is_no_part_of_the_text(write):
    source = SpecSource.read(write({"spec.py": b"\xef\xbb\xbf" + spec_class().encode()}))
    assert source.sources["spec.py"] == spec_class()


# Hooks


@pytest.mark.parametrize("missing", list(HOOKS))
def test_a_missing_hook_is_named_with_its_parameters(read, missing):
    message = refusal(read, spec_class(**{missing: None}))
    assert f"MLSpec lacks the required {missing}({HOOKS[missing]})." in message


def test_all_missing_hooks_are_named_at_once(read):
    message = refusal(read, no_hooks("Digits", "MLSpec"))
    assert all(f"{name}({parameters})" in message for name, parameters in HOOKS.items())
    assert "Digits lacks" in message


def test_inherited_hooks_count(read):
    base = spec_class("Base", create_model=None)
    assert read(base + spec_class("MLSpec", "Base", row_prep=None, compute_forward=None))
    assert "create_model" in refusal(read, base + no_hooks("MLSpec", "Base"))


@pytest.mark.parametrize(("statement", "base"), [("from common import Base", "Base"), ("import common", "common.Base")])
def test_hooks_of_a_sibling_module_count(read, statement, base):
    assert read(f"{statement}\n{no_hooks('MLSpec', base)}", **{"common.py": spec_class("Base")})
    message = refusal(
        read, f"{statement}\n{no_hooks('MLSpec', base)}", **{"common.py": spec_class("Base", row_prep=None)}
    )
    assert "lacks the required row_prep" in message


def test_the_base_class_of_a_sibling_module_may_have_the_same_name(read):
    main = f"import common\n{no_hooks('MLSpec', 'common.MLSpec')}"
    assert read(main, **{"common.py": spec_class()})
    assert "row_prep" in refusal(read, main, **{"common.py": spec_class(row_prep=None)})


def test_an_own_hook_goes_before_an_inherited_one(read):
    base = spec_class("Base", row_prep="self, row, is_predict, cfg, mode")
    assert read(base + spec_class("MLSpec", "Base"))
    assert "is_predict" in refusal(read, base + spec_class("MLSpec", "Base", row_prep=None))


@pytest.mark.parametrize(
    "text",
    [
        no_hooks("MLSpec", "somewhere.Else"),
        no_hooks("MLSpec", "make_base()"),
        no_hooks("MLSpec", "Generic[T]"),
        no_hooks("MLSpec", "metaclass=Meta"),
        no_hooks("MLSpec", "*bases"),
        "@add_hooks\n" + no_hooks(),
        "class MLSpec:\n    row_prep = create_model = compute_forward = staticmethod(print)\n",
        "class MLSpec:\n    if fast:\n        def row_prep(self, row): ...\n",
        "class MLSpec:\n    from hooks import row_prep, create_model, compute_forward\n",
        no_hooks("A", "B") + no_hooks("B", "A") + no_hooks("MLSpec", "A"),
    ],
)
def test_hooks_that_cannot_be_seen_are_left_to_the_import(read, text):
    assert read(text).spec_class() == "MLSpec"


@pytest.mark.parametrize("text", ["MLSpec = type('MLSpec', (), {})", "MLSpec = make_spec()", "globals()['MLSpec'] = 1"])
def test_a_spec_that_is_no_class_statement_is_refused(read, text):
    assert "no class named MLSpec" in refusal(read, text)


# Signatures


@pytest.mark.parametrize(
    ("hook", "parameters"),
    [
        ("row_prep", "self, row"),
        ("row_prep", "self"),
        ("row_prep", "self, row, cfg"),
        ("row_prep", "self, row, cfg, mode, extra=None"),
        ("row_prep", "self, row, cfg, mode, *, extra=None"),
        ("row_prep", "self, *arguments"),
        ("row_prep", "self, row, cfg, mode, **options"),
        ("row_prep", "self, row, cfg, mode, /"),
        ("row_prep", "self, example, config: dict, how: str"),
        ("create_model", "self"),
        ("compute_forward", "self, model, minibatch"),
        ("compute_metrics", "self, loss, outputs"),
        ("aggregate_metrics", "self, metrics, cfg"),
        ("has_converged", "self, val_metrics"),
        ("initialize_run", "self, misc_path"),
        ("helper", "self, anything, at, all, goes, here, *, indeed"),
    ],
)
def test_hooks_may_leave_out_trailing_parameters_and_add_optional_ones(read, hook, parameters):
    assert read(spec_class(**{hook: parameters}))


@pytest.mark.parametrize(
    ("hook", "parameters", "shown"),
    [
        ("row_prep", "self, row, cfg, mode, extra", "row, cfg, mode, extra"),
        ("create_model", "self, cfg, device", "cfg, device"),
        ("create_model", "self, cfg, *, device", "cfg, device"),
        ("has_converged", "self, val_metrics, epoch, cfg, patience", "val_metrics, epoch, cfg, patience"),
        ("collate_fn", "self, batch, cfg, mode, pad, length=3", "batch, cfg, mode, pad, length"),
    ],
)
def test_a_hook_that_asks_for_more_than_it_gets_is_refused(read, hook, parameters, shown):
    message = refusal(read, spec_class(**{hook: parameters}))
    assert f"MLSpec.{hook} asks for ({shown})" in message
    assert f"write {hook}(self, {', '.join(HOOK_PARAMETERS[hook])})" in message
    line = 2 + list({**HOOKS, hook: ""}).index(hook)
    assert f"spec.py, line {line}:" in message


def test_static_and_class_methods_are_counted_as_they_are_called(read):
    text = spec_class(row_prep=None, create_model=None)
    static = "    @staticmethod\n    def row_prep({}): ...\n    @classmethod\n    def create_model({}): ...\n"
    assert read(text + static.format("row, cfg, mode", "cls, cfg"))
    assert "row_prep asks for" in refusal(read, text + static.format("row, cfg, mode, extra", "cls, cfg"))
    assert "create_model asks for" in refusal(read, text + static.format("row", "cls, cfg, extra"))


@pytest.mark.parametrize("hook", ["row_prep", "compute_forward", "collate_fn"])
def test_the_old_is_predict_is_refused_with_the_remedy(read, hook):
    message = refusal(read, spec_class(**{hook: "self, row, cfg, is_predict"}))
    assert f"MLSpec.{hook} has the old parameter is_predict" in message
    assert f"write {hook}(self, {', '.join(HOOK_PARAMETERS[hook])})" in message


def test_the_old_initialize_worker_is_refused_with_the_remedy(read):
    message = refusal(read, spec_class(initialize_worker="self, misc_path, cfg"))
    assert "MLSpec.initialize_worker is called initialize_run(self, misc_path, cfg, mode) now; rename it" in message


def test_nothing_of_the_spec_is_run(read, tmp_path):
    marker = tmp_path / "ran"
    read(f"open({str(marker)!r}, 'w')\nraise SystemExit\n" + spec_class())
    assert not marker.exists()


# Names of metrics


def metrics_spec(**returned):
    hooks = "".join(f"    def {hook}(self, loss, outputs):\n{body}\n" for hook, body in returned.items())
    return f"{spec_class()}{hooks}"


@pytest.mark.parametrize(
    ("returned", "name"),
    [
        ({"compute_metrics": "        return {'f1': 1, 'rows': 2}"}, "compute_metrics gives a metric the name 'rows'"),
        ({"compute_metrics": "        if loss:\n            return {'loss': 1}\n        return {}"}, "name 'loss'"),
        (
            {"compute_metrics": "        return {'rows': 1}", "aggregate_metrics": "        return {'model_tag': 2}"},
            "line 8: aggregate_metrics gives a metric the name 'model_tag'",
        ),
    ],
)
def test_names_that_no_metric_can_have_are_seen_in_what_the_hooks_return(read, returned, name):
    with pytest.raises(SpecError, match=name):
        read(metrics_spec(**returned)).refuse_reserved_metrics()


def test_other_names_in_the_hooks_for_metrics_are_nobodys_business(read):
    inner = "        def f():\n            return {'rows': 1}\n        a = {'rows': 2}\n        return {'f1': a}"
    read(metrics_spec(compute_metrics=inner)).refuse_reserved_metrics()
    aggregated = {
        "compute_metrics": "        return {'rows': 1, **loss}",
        "aggregate_metrics": "        return {'n': 1}",
    }
    read(metrics_spec(**aggregated)).refuse_reserved_metrics()
    read(spec_class()).refuse_reserved_metrics()
