#pragma once

#include <stdlib.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>

#include "common/config/property.h"

namespace hy::config::test {

/// One property of each kind, with bounds.
inline constexpr std::array kProperties{
    Property{.key = "entry.on", .kind = Kind::kBool, .fallback = "true", .sentence = "On."},
    Property{.key = "entry.max_connections",
             .kind = Kind::kInteger,
             .fallback = "20k",
             .min = "1",
             .max = "1M",
             .apply = Apply::kLive,
             .sentence = "Connections at most."},
    Property{.key = "entry.first_frame",
             .kind = Kind::kDuration,
             .fallback = "5s",
             .min = "100ms",
             .max = "1m",
             .apply = Apply::kLive,
             .sentence = "A silent socket is closed after it."},
    Property{.key = "entry.push_window.bytes",
             .kind = Kind::kSize,
             .fallback = "1MiB",
             .min = "64KiB",
             .max = "16MiB",
             .sentence = "Bytes of un-acked pushes."},
    Property{.key = "entry.push_window.frames",
             .kind = Kind::kInteger,
             .fallback = "256",
             .min = "1",
             .max = "1024",
             .sentence = "Un-acked pushes."},
    Property{.key = "entry.rate.frames",
             .kind = Kind::kRate,
             .fallback = "30/s burst 60",
             .min = "1",
             .max = "1000",
             .apply = Apply::kLive,
             .sentence = "Frames per connection."},
    Property{.key = "entry.motto",
             .kind = Kind::kText,
             .max = "16",
             .apply = Apply::kLive,
             .sentence = "A text."},
    Property{.key = "entry.deny",
             .kind = Kind::kTextList,
             .max = "3",
             .apply = Apply::kLive,
             .sentence = "Who is refused."},
    Property{.key = "entry.engine",
             .kind = Kind::kEnum,
             .fallback = "fast",
             .sentence = "Which one.",
             .choices = "fast|safe"},
    Property{.key = "entry.noise_key",
             .kind = Kind::kSecret,
             .sentence = "The static key.",
             .hex_bytes = 4},
    Property{.key = "entry.admin", .kind = Kind::kText, .sentence = "Admin HTTP."},
    Property{.key = "entry.near", .kind = Kind::kAddress, .sentence = "An address."},
    Property{.key = "entry.listen",
             .kind = Kind::kAddressList,
             .fallback = "127.0.0.1:14000",
             .min = "1",
             .max = "3",
             .sentence = "Where clients come in."},
    Property{.key = "entry.cache", .kind = Kind::kPath, .fallback = "c", .sentence = "A folder."},
};

/// A folder that goes away with the object.
struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "hy-config-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path); }
  std::filesystem::path write(const std::string& name, const std::string& text,
                              unsigned mode = 0600) const {
    const auto file = path / name;
    std::ofstream(file) << text;
    std::filesystem::permissions(file, std::filesystem::perms(mode));
    return file;
  }
};

}  // namespace hy::config::test
