# SPDX-License-Identifier: MIT
# Sourced: what belongs to the project, by git where it is to be had, else by what .gitignore names.
project_files() {
  if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git ls-files --cached --others --exclude-standard
  else
    # Not installed, or it refuses: the clone is somebody else's.
    find . \( -path ./build -o -path ./.git -o -path ./.cache -o -name __pycache__ \) -prune -o -type f \
      ! -name '*~' ! -name '*.swp' ! -path ./compile_commands.json -print | sed 's|^\./||'
  fi
}
