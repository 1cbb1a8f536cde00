#!/bin/sh
# Makes or updates an environment with this checkout in it: environment.sh VENV EXTRAS
#   sh .ci/environment.sh .venv ""           what the app needs
#   sh .ci/environment.sh .venv "dev,ray"    and what the tests need
# Each step tries what the machine has (uv, venv, virtualenv, pip alone) and says what is missing.
# Indexes come from the machine's own configuration of uv and pip.
set -eu

venv=$1
what=.${2:+[$2]}
python=$venv/bin/python
unread='.*/tests|mypyc?|pip|setuptools|ray/(data|rllib|serve|train|tune)'
PIP_DISABLE_PIP_VERSION_CHECK=1
export PIP_DISABLE_PIP_VERSION_CHECK

main() {
    base=$(find_python) || base=
    [ -n "$base" ] || have_uv || stop "Recipe needs Python 3.11 or newer."
    works "$python" || make_environment
    echo "Installing into $venv (the first time takes a minute or more)"
    if ! install -c requirements.lock -e "$what"; then
        echo "Not all versions of requirements.lock can be had here: trying pyproject.toml's" >&2
        install -e "$what" || stop "The packages could not be installed; the reason is above."
    fi
    # Each scan starts a process a core; where Python may not write bytecode, all would compile.
    # pip compiles on one core, uv not at all. What nobody here imports is a third of it.
    site=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
    "$python" -m compileall -q -j 0 -x "site-packages/($unread)/" recipe_core app pages "$site" \
        >/dev/null 2>&1 || true
}

stop() {
    echo "$1" >&2
    exit 1
}

works() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for name in "${PYTHON:-python3}" python3 python3.13 python3.12 python3.11; do
        if works "$name"; then
            "$name" -c 'import sys; print(sys.executable)'
            return 0
        fi
    done
    return 1
}

have_uv() {
    uv --version >/dev/null 2>&1
}

make_environment() {
    echo "Making the environment $venv"
    # Only a folder that is an environment is ever replaced.
    [ ! -f "$venv/pyvenv.cfg" ] || rm -rf "$venv"
    if have_uv && uv venv -q --python "${base:-3.12}" "$venv"; then return; fi
    if [ -n "$base" ]; then
        if "$base" -m venv "$venv" >/dev/null 2>&1; then return; fi
        rm -rf "$venv" # half made: Debian's python3 without python3-venv
        if "$base" -m virtualenv -q "$venv" 2>/dev/null; then return; fi
        if "$base" -m pip --version >/dev/null 2>&1 && "$base" -m venv --without-pip "$venv"; then
            return
        fi
    fi
    rm -rf "$venv"
    stop "No environment can be made: ${base:-python3} has neither ensurepip nor pip, and there is
no uv. On Debian and Ubuntu:  apt-get install python3-venv    Anywhere else: install uv."
}

install() {
    if have_uv && uv pip install --python "$python" "$@"; then return 0; fi
    if "$python" -m pip --version >/dev/null 2>&1; then
        "$python" -m pip install -q --no-compile "$@"
        return
    fi
    # An environment without pip: the one outside can install into it (pip 22.3 and newer).
    [ -n "$base" ] && "$base" -m pip --python "$python" install -q --no-compile "$@"
}

main
