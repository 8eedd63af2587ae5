#include "common/hooks/control_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace hy::hooks {
namespace {

/// Another list of places is another file: an old one is not read by a newer build.
struct Layout {
  std::uint64_t magic;
  std::uint64_t points;
  std::array<PointSlot, kSyncPoints.size()> slots;
};
constexpr std::uint64_t kMagic = 0x3153'4B4F'4F48'5948;

Layout* layout(void* memory) {
  return static_cast<Layout*>(memory);
}

std::unexpected<Error> no_file(const std::filesystem::path& file, const std::string& why) {
  return fail(Errc::kInternal, "control file " + file.string() + ": " + why);
}

}  // namespace

Result<ControlFile> ControlFile::map(const std::filesystem::path& file, int flags) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CLOEXEC | flags, 0600);
  if (fd < 0) return no_file(file, std::strerror(errno));
  struct stat info{};
  const bool is_sized = (flags & O_CREAT) != 0
                            ? ::ftruncate(fd, sizeof(Layout)) == 0
                            : ::fstat(fd, &info) == 0 && info.st_size == sizeof(Layout);
  void* const memory =
      is_sized ? ::mmap(nullptr, sizeof(Layout), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
               : MAP_FAILED;
  ::close(fd);
  if (memory == MAP_FAILED) return no_file(file, "cannot be mapped, or is of another build");
  return ControlFile(memory);
}

Result<ControlFile> ControlFile::create(const std::filesystem::path& file) {
  HY_TRY(ControlFile out, map(file, O_CREAT | O_TRUNC));
  layout(out.memory_)->magic = kMagic;
  layout(out.memory_)->points = kSyncPoints.size();
  return out;
}

Result<ControlFile> ControlFile::open(const std::filesystem::path& file) {
  HY_TRY(ControlFile out, map(file, 0));
  const Layout& made = *layout(out.memory_);
  if (made.magic != kMagic || made.points != kSyncPoints.size())
    return no_file(file, "is of another build");
  return out;
}

ControlFile::~ControlFile() {
  if (memory_ != nullptr) ::munmap(memory_, sizeof(Layout));
}

PointSlot* ControlFile::slot(std::string_view point) const {
  const auto at = std::ranges::find(kSyncPoints, point, &SyncPoint::name);
  if (at == kSyncPoints.end() || memory_ == nullptr) return nullptr;
  return &layout(memory_)->slots[static_cast<std::size_t>(at - kSyncPoints.begin())];
}

void ControlFile::arm(std::string_view point, Deed deed, std::int64_t nth,
                      std::uint32_t delay_ms) const {
  PointSlot* const s = slot(point);
  if (s == nullptr) return;
  s->deed.store(static_cast<std::uint32_t>(Deed::kNone));
  s->delay_ms.store(delay_ms);
  s->countdown.store(std::max<std::int64_t>(nth, 1));
  s->deed.store(static_cast<std::uint32_t>(deed));
}

void ControlFile::disarm(std::string_view point) const {
  if (PointSlot* const s = slot(point)) s->deed.store(static_cast<std::uint32_t>(Deed::kNone));
}

std::uint64_t ControlFile::hits(std::string_view point) const {
  const PointSlot* const s = slot(point);
  return s == nullptr ? 0 : s->hits.load();
}

std::uint64_t ControlFile::fired(std::string_view point) const {
  const PointSlot* const s = slot(point);
  return s == nullptr ? 0 : s->fired.load();
}

}  // namespace hy::hooks
