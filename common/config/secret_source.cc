#include "common/config/secret_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "common/base/bytes.h"

namespace hy::config {
namespace {

constexpr std::size_t kSecretBytesMax = 4'096;

Result<Secret> read_file(const std::filesystem::path& path, bool guarded) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0)
    return fail(Errc::kConfigUnreadable,
                "cannot read " + path.string() + ": " + std::strerror(errno));
  struct Closer {
    int fd;
    ~Closer() { ::close(fd); }
  } const closer{fd};
  struct stat st{};
  if (::fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
    return fail(Errc::kConfigUnreadable, path.string() + " is no regular file");
  // Checked on the open descriptor: the file that is read is the file that was judged.
  if (!guarded && (st.st_mode & 077) != 0)
    return fail(Errc::kSecretReadable, "others can read it: chmod 600 " + path.string());
  std::array<char, kSecretBytesMax + 1> buffer{};
  std::size_t size = 0;
  while (size < buffer.size()) {
    const auto n = ::read(fd, buffer.data() + size, buffer.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    size += static_cast<std::size_t>(n);
  }
  Secret out(std::string(buffer.data(), size));
  wipe(buffer.data(), buffer.size());
  if (size > kSecretBytesMax)
    return fail(Errc::kConfigWrongType, path.string() + " is larger than 4 KiB");
  return out;
}

}  // namespace

const std::string* find_variable(const std::vector<std::string>& environment,
                                 std::string_view name) {
  for (const auto& entry : environment)
    if (entry.size() > name.size() && entry[name.size()] == '=' && entry.starts_with(name))
      return &entry;
  return nullptr;
}

Result<Secret> read_secret(const SecretSource& source, const std::filesystem::path& folder,
                           const std::vector<std::string>& environment, std::uint32_t hex_bytes) {
  Secret raw;
  std::string where;
  if (!source.env.empty()) {
    where = "variable " + source.env;
    const auto* entry = find_variable(environment, source.env);
    if (entry == nullptr) return fail(Errc::kConfigMissing, where + " is not set");
    raw = Secret(entry->substr(source.env.size() + 1));
  } else {
    std::filesystem::path path = folder / source.file;
    if (!source.credential.empty()) {
      const auto* dir = find_variable(environment, "CREDENTIALS_DIRECTORY");
      if (dir == nullptr)
        return fail(Errc::kConfigMissing, "no CREDENTIALS_DIRECTORY: not started by systemd?");
      path = std::filesystem::path(dir->substr(dir->find('=') + 1)) / source.credential;
    }
    where = path.string();
    HY_TRY(raw, read_file(path, !source.credential.empty()));
  }
  std::string text = raw.reveal();
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  Secret trimmed(text);
  wipe(text.data(), text.size());
  if (trimmed.empty()) return fail(Errc::kConfigMissing, where + " is empty");
  if (hex_bytes == 0) return trimmed;
  auto bytes = from_hex(trimmed.reveal());
  if (!bytes || bytes->size() != hex_bytes)
    return fail(Errc::kConfigWrongType, where + " must hold " + std::to_string(hex_bytes) +
                                            " bytes as " + std::to_string(2 * hex_bytes) +
                                            " hex digits");
  Secret decoded(*bytes);
  wipe(bytes->data(), bytes->size());
  return decoded;
}

}  // namespace hy::config
