# SPDX-License-Identifier: MIT
"""python3 -m promcb.run PROGRAM [ARGUMENT]...

Runs a program with promcb.prometheus.install() in it, and in each Python that it starts: python3 -m promcb.run gunicorn
-w 4 app:app. The program is found as a shell finds it; a file that ends in .py is run by this Python.
"""
import os
import sys


def main(arguments=None):
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__.strip())
        return 0 if arguments else 2
    here = os.path.dirname(os.path.abspath(__file__))
    paths = [os.path.join(here, "site"), os.path.dirname(here)]
    if os.environ.get("PYTHONPATH"):
        paths.append(os.environ["PYTHONPATH"])
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    if arguments[0].endswith(".py"):
        arguments = [sys.executable, *arguments]
    for stream in (sys.stdout, sys.stderr):  # what a sitecustomize printed would go with this program
        if stream:
            stream.flush()
    try:
        os.execvp(arguments[0], arguments)
    except OSError as error:
        print(f"promcb.run: {arguments[0]}: {error.strerror}", file=sys.stderr)
        return 127 if isinstance(error, FileNotFoundError) else 126


if __name__ == "__main__":
    sys.exit(main())
