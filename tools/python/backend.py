# SPDX-License-Identifier: MIT
"""Builds the wheel and the source distribution of promcb for Python: a build backend (PEP 517) on meson.

    python3 -m pip wheel tools/python              # a wheel for this machine, with the library in it
    python3 tools/python/backend.py DIRECTORY      # both, without pip

It needs what promcb needs to be built (tools/packages.sh build) and python3-dev. The wheel has the library linked into
its module, and libck: it needs the C library alone, of this machine's version or a later one. One wheel is for CPython
3.10 and all later; built by 3.9, or without the global lock, for that version.
"""
import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SUMMARY = "Latency, outcome and metrics of calls in shared memory, whole over all processes"
PYPROJECT = """[build-system]
requires = []
build-backend = "backend"
backend-path = ["{path}"]

[project]
name = "promcb"
version = "{version}"
"""


def version():
    with open(os.path.join(ROOT, "meson.build"), encoding="utf-8") as file:
        return re.search(r"^  version: '([^']*)'", file.read(), re.M)[1]


def metadata():
    with open(os.path.join(HERE, "README.md"), encoding="utf-8") as file:
        readme = file.read()
    return (f"Metadata-Version: 2.1\nName: promcb\nVersion: {version()}\nSummary: {SUMMARY}\nLicense: MIT\n"
            "Classifier: Operating System :: POSIX :: Linux\nRequires-Python: >=3.9\n"
            f"Description-Content-Type: text/markdown\n\n{readme}")


def _environment():
    """pip hides the system's modules from what it starts, and so the system's meson from itself."""
    if subprocess.run(["meson", "--version"], capture_output=True, check=False).returncode == 0:
        return None
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def _run(*command):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr, env=_environment())


def _build(directory):
    """Builds and installs what belongs to Python; returns where it lies."""
    build, staged = os.path.join(directory, "build"), os.path.join(directory, "staged")
    # The library's own directories are of no matter: it goes into the module.
    _run("meson", "setup", build, ROOT, "-Dprefix=/usr", "-Dtools=false", "-Dsidecar=false", "-Dtests=false",
         "-Ddocs=false", "-Dpython=enabled", "-Dpython_static=true", "-Dprefer_static=true",
         # Late in a process, there may be no room for a library whose threads' words are at fixed places.
         "-Dtls=descriptors",
         f"-Dpython_path={sys.executable}")
    _run("ninja", "-C", build)
    _run("meson", "install", "-C", build, "--no-rebuild", "--tags", "python-runtime", "--destdir", staged)
    for parent, directories, _ in os.walk(staged):
        if "promcb" in directories:
            return parent
    raise RuntimeError("nothing was installed")


def _tag(directory):
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    name = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    if any(file.endswith(".abi3.so") for file in os.listdir(directory)):
        return f"cp310-abi3-{platform}"
    return f"{name}-{name}{sysconfig.get_config_var('abiflags') or ''}-{platform}"


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    """Without it, the wheel would be built once for this, and once more."""
    info = f"promcb-{version()}.dist-info"
    os.mkdir(os.path.join(metadata_directory, info))
    with open(os.path.join(metadata_directory, info, "METADATA"), "w", encoding="utf-8") as file:
        file.write(metadata())
    return info


def _hash(content):
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"sha256={digest},{len(content)}"


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    with tempfile.TemporaryDirectory(prefix="promcb-wheel-") as directory:
        base = _build(directory)
        tag = _tag(os.path.join(base, "promcb"))
        info = f"promcb-{version()}.dist-info"
        contents = {}
        for parent, directories, files in os.walk(os.path.join(base, "promcb")):
            directories[:] = [name for name in directories if name != "__pycache__"]
            for name in files:
                with open(os.path.join(parent, name), "rb") as file:
                    contents[os.path.relpath(os.path.join(parent, name), base)] = file.read()
        with open(os.path.join(ROOT, "LICENSE"), "rb") as file:
            contents[f"{info}/LICENSE"] = file.read()
        contents[f"{info}/METADATA"] = metadata().encode()
        contents[f"{info}/WHEEL"] = (f"Wheel-Version: 1.0\nGenerator: promcb {version()}\nRoot-Is-Purelib: false\n"
                                     f"Tag: {tag}\n").encode()
        record = [f"{name},{_hash(content)}" for name, content in sorted(contents.items())]
        contents[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
        name = f"promcb-{version()}-{tag}.whl"
        with zipfile.ZipFile(os.path.join(wheel_directory, name), "w", zipfile.ZIP_DEFLATED) as wheel:
            for path, content in sorted(contents.items()):
                # The time that zip begins at, so that the same source is the same wheel.
                entry = zipfile.ZipInfo(path)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = (0o755 if path.endswith(".so") else 0o644) << 16
                wheel.writestr(entry, content)
    return name


def _sources():
    """What is the project's, by git, or all that lies there."""
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    if listed.returncode == 0 and listed.stdout and os.path.exists(os.path.join(ROOT, ".git")):
        return sorted(name.decode() for name in listed.stdout.split(b"\0") if name)
    found = []
    for parent, directories, files in os.walk(ROOT):
        directories[:] = [name for name in directories if name not in ("build", ".git", "__pycache__")]
        found += [os.path.relpath(os.path.join(parent, name), ROOT) for name in files]
    return sorted(found)


def build_sdist(sdist_directory, config_settings=None):
    base = f"promcb-{version()}"
    with tempfile.TemporaryDirectory(prefix="promcb-sdist-") as directory:
        top = os.path.join(directory, base)
        for name in _sources():
            # Tests and benchmarks stay in the repository.
            if not name.startswith(("tests/", "bench/", ".")) and os.path.isfile(os.path.join(ROOT, name)):
                os.makedirs(os.path.dirname(os.path.join(top, name)), exist_ok=True)
                shutil.copy2(os.path.join(ROOT, name), os.path.join(top, name))
        for name, text in (("PKG-INFO", metadata()),
                           ("pyproject.toml", PYPROJECT.format(path="tools/python", version=version()))):
            with open(os.path.join(top, name), "w", encoding="utf-8") as file:
                file.write(text)
        with tarfile.open(os.path.join(sdist_directory, base + ".tar.gz"), "w:gz") as archive:
            archive.add(top, base)
    return base + ".tar.gz"


def get_requires_for_build_wheel(config_settings=None):
    """Where the system has no meson or ninja, those of the package index."""
    return [name for name in ("meson", "ninja") if not shutil.which(name)]


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(__doc__)
        sys.exit(0 if sys.argv[1:] == ["--help"] else 2)
    os.makedirs(sys.argv[1], exist_ok=True)
    for made in (build_wheel(sys.argv[1]), build_sdist(sys.argv[1])):
        print(os.path.join(sys.argv[1], made))
