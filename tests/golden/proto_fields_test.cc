#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

/// The contracts between tiers and with clients only grow: every field that was ever shipped keeps
/// its name, number and type. tests/golden/proto_fields.txt has a line a field; a changed or
/// missing line fails, a new one is added with HY_GOLDEN_WRITE=1.
namespace hy::golden {
namespace {

namespace pb = google::protobuf;

const char* kGolden = HY_SOURCE_DIR "/tests/golden/proto_fields.txt";
const char* kSince = "0.1.0";

void add_message(const std::string& scope, const pb::DescriptorProto& message,
                 std::map<std::string, std::string>& out) {
  const std::string name = scope + "." + message.name();
  for (const pb::FieldDescriptorProto& field : message.field()) {
    std::string type = pb::FieldDescriptorProto::Type_Name(field.type()) + field.type_name();
    if (field.label() == pb::FieldDescriptorProto::LABEL_REPEATED) type = "repeated " + type;
    out[name + "." + field.name()] = std::to_string(field.number()) + " " + type;
  }
  for (const pb::DescriptorProto& nested : message.nested_type()) add_message(name, nested, out);
}

void add_enum(const std::string& scope, const pb::EnumDescriptorProto& type,
              std::map<std::string, std::string>& out) {
  for (const pb::EnumValueDescriptorProto& value : type.value()) {
    out[scope + "." + type.name() + "." + value.name()] = std::to_string(value.number()) + " enum";
  }
}

std::map<std::string, std::string> current_fields() {
  std::ifstream in(HY_BUILD_DIR "/proto/all.desc", std::ios::binary);
  pb::FileDescriptorSet set;
  EXPECT_TRUE(set.ParseFromIstream(&in));
  std::map<std::string, std::string> out;
  for (const pb::FileDescriptorProto& file : set.file()) {
    for (const pb::DescriptorProto& message : file.message_type())
      add_message(file.package(), message, out);
    for (const pb::EnumDescriptorProto& type : file.enum_type())
      add_enum(file.package(), type, out);
  }
  return out;
}

struct Line {
  std::string what;
  std::string since;
};

std::map<std::string, Line> golden_fields() {
  std::map<std::string, Line> out;
  std::ifstream in(kGolden);
  for (std::string line; std::getline(in, line);) {
    const std::size_t name_end = line.find(" = ");
    const std::size_t since_at = line.rfind(" since ");
    if (name_end == std::string::npos || since_at == std::string::npos) continue;
    out[line.substr(0, name_end)] = {line.substr(name_end + 3, since_at - name_end - 3),
                                     line.substr(since_at + 7)};
  }
  return out;
}

void write_golden(const std::map<std::string, std::string>& current,
                  std::map<std::string, Line> golden) {
  for (const auto& [name, what] : current) golden.try_emplace(name, Line{what, kSince});
  std::ofstream out(kGolden);
  for (const auto& [name, line] : golden)
    out << name << " = " << line.what << " since " << line.since << "\n";
}

TEST(ProtoFields, NothingShippedChanges) {
  const auto current = current_fields();
  ASSERT_GT(current.size(), 200u);
  if (std::getenv("HY_GOLDEN_WRITE") != nullptr) write_golden(current, golden_fields());
  const auto golden = golden_fields();
  for (const auto& [name, line] : golden) {
    const auto it = current.find(name);
    ASSERT_NE(it, current.end())
        << name << " was removed: a deleted field leaves `reserved`, and stays listed";
    EXPECT_EQ(it->second, line.what) << name << " changed its number or type";
  }
  for (const auto& [name, what] : current) {
    EXPECT_TRUE(golden.contains(name))
        << name << " = " << what
        << " is new: run this test once with HY_GOLDEN_WRITE=1 and commit the line";
  }
}

TEST(ProtoFields, EnumsStartAtUnspecified) {
  for (const auto& [name, what] : current_fields()) {
    if (what == "0 enum") {
      EXPECT_TRUE(name.ends_with("UNSPECIFIED")) << name;
    }
  }
}

}  // namespace
}  // namespace hy::golden
