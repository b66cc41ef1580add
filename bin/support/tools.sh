# Shared by bin/test and bin/demo: sees to it that Elixir and Rust are there. Sourced, from the root.

say() {
  printf '\n==> %s\n' "$*"
}

fail() {
  printf '\nerror: %s\n' "$*" >&2
  exit 1
}

# The packages of Debian and its relatives; the second list is needed by Mix, ExUnit and the tests.
elixir_packages="elixir erlang-dev erlang-inets erlang-ssl
  erlang-eunit erlang-parsetools erlang-tools erlang-xmerl"

need_elixir() {
  command -v mix >/dev/null && return
  command -v apt-get >/dev/null ||
    fail "Elixir 1.14 or newer is needed: see https://elixir-lang.org/install.html"
  install_packages "Elixir" $elixir_packages
}

need_rust() {
  PATH="$PATH:$HOME/.cargo/bin"
  export PATH
  command -v cargo >/dev/null || fail "Rust is needed. Install it with

    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y

and run this again (see https://rustup.rs)"
  command -v cc >/dev/null && return
  command -v apt-get >/dev/null || fail "a C compiler is needed as the linker: none is called cc"
  install_packages "a C compiler, which links Rust programs," gcc libc6-dev
}

install_packages() {
  what=$1
  shift
  as_root=
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || fail "$what is missing. Install it as root: apt-get install $*"
    as_root=sudo
  fi
  say "Installing $what by apt:" $*
  # Package lists may be missing or old: they are fetched when the packages are not found.
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" </dev/null ||
    { $as_root apt-get update -qq </dev/null &&
      $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" </dev/null; } ||
    fail "apt-get could not install $*"
}

# Announces a command and runs it; the first that fails ends the script.
run() {
  say "$*"
  "$@" || fail "failed: $*"
}
