#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

/// The repository as text: what the tidy tests read.
namespace hy::tidy {

struct SourceFile {
  std::string path;  ///< from the repository root
  std::vector<std::string> lines;
};

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

inline std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::stringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// Every file below the root whose name ends with one of `endings`, sorted; build folders and .git
/// left out.
inline std::vector<SourceFile> source_files(const std::vector<std::string_view>& endings) {
  namespace fs = std::filesystem;
  const fs::path root = HY_SOURCE_DIR;
  std::vector<SourceFile> files;
  for (auto it = fs::recursive_directory_iterator(root); it != fs::recursive_directory_iterator();
       ++it) {
    const std::string rel = fs::relative(it->path(), root).string();
    if (it->is_directory()) {
      const std::string name = it->path().filename();
      if (name == ".git" || rel == "build" || rel == "runs" || name == "node_modules")
        it.disable_recursion_pending();
      continue;
    }
    const bool wanted =
        std::ranges::any_of(endings, [&](std::string_view e) { return rel.ends_with(e); });
    if (wanted) files.push_back({rel, split_lines(read_text(it->path()))});
  }
  std::ranges::sort(files, {}, &SourceFile::path);
  return files;
}

inline bool starts_with_any(std::string_view text, const std::vector<std::string_view>& prefixes) {
  return std::ranges::any_of(prefixes, [&](std::string_view p) { return text.starts_with(p); });
}

}  // namespace hy::tidy
