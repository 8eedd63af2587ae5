# Sourced by deploy/demo and tests/run: install_packages SECTION... installs what is missing from deploy/packages.txt.
# Prints each system change before making it. Works as root, or with sudo; nothing else of the system is touched.

install_packages() {
  local here missing=() section package as_root=()
  here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
  while read -r section package; do
    [[ " $* " == *" $section "* ]] || continue
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done < <(grep -v '^#' "$here/packages.txt")
  if ((${#missing[@]} == 0)); then return 0; fi
  if ((EUID != 0)); then as_root=(sudo); fi
  export DEBIAN_FRONTEND=noninteractive
  echo "== installing ${#missing[@]} Debian packages (about 1-2 minutes): ${missing[*]}"
  if ! apt-get install --simulate --no-install-recommends "${missing[@]}" >/dev/null 2>&1; then
    echo "   \$ ${as_root[*]} apt-get update"
    "${as_root[@]}" apt-get update -q
  fi
  echo "   \$ ${as_root[*]} apt-get install -y --no-install-recommends ${missing[*]}"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" \
    >"${TMPDIR:-/tmp}/hongyan-apt.$$" 2>&1 || { tail -n 20 "${TMPDIR:-/tmp}/hongyan-apt.$$"; rm -f "${TMPDIR:-/tmp}/hongyan-apt.$$"; return 1; }
  rm -f "${TMPDIR:-/tmp}/hongyan-apt.$$"
}
