#include "common/crypto/password.h"

#include <argon2.h>

#include <array>
#include <charconv>

namespace hy::crypto {
namespace {

constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kTagBytes = 32;
// The dearest string that is ever verified: a corrupt row must not take the machine's memory.
constexpr std::uint32_t kMemoryKibMax = 1024 * 1024;
constexpr std::uint32_t kPassesMax = 64;

std::unexpected<Error> argon_failure(int code) {
  const bool memory = code == ARGON2_MEMORY_ALLOCATION_ERROR || code == ARGON2_THREAD_FAIL;
  return fail(memory ? Errc::kOverloaded : Errc::kInternal, argon2_error_message(code));
}

/// Takes "<label><decimal>" from the front of `text`.
bool take_number(std::string_view& text, std::string_view label, std::uint32_t& value) {
  if (!text.starts_with(label)) return false;
  text.remove_prefix(label.size());
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

}  // namespace

Result<std::string> hash_password(const Secret& password, const PasswordCost& cost,
                                  Random& random) {
  std::array<std::uint8_t, kSaltBytes> salt;
  random.fill(salt);
  std::string phc(
      argon2_encodedlen(cost.passes, cost.memory_kib, cost.lanes, kSaltBytes, kTagBytes, Argon2_id),
      '\0');
  const std::string& bytes = password.reveal();
  const int code =
      argon2id_hash_encoded(cost.passes, cost.memory_kib, cost.lanes, bytes.data(), bytes.size(),
                            salt.data(), salt.size(), kTagBytes, phc.data(), phc.size());
  if (code != ARGON2_OK) return argon_failure(code);
  phc.resize(std::string_view(phc.c_str()).size());
  return phc;
}

Result<PasswordCost> password_cost(std::string_view phc) {
  PasswordCost cost;
  std::string_view rest = phc;
  const bool ok = take_number(rest, "$argon2id$v=19$m=", cost.memory_kib) &&
                  take_number(rest, ",t=", cost.passes) && take_number(rest, ",p=", cost.lanes) &&
                  rest.starts_with('$');
  if (!ok || cost.memory_kib > kMemoryKibMax || cost.passes > kPassesMax || cost.lanes > 255)
    return fail(Errc::kInternal, "a stored credential is not an Argon2id string of ours");
  return cost;
}

Result<bool> verify_password(const Secret& password, std::string_view phc) {
  HY_TRY([[maybe_unused]] const PasswordCost cost, password_cost(phc));
  const std::string terminated(phc);
  const std::string& bytes = password.reveal();
  const int code = argon2id_verify(terminated.c_str(), bytes.data(), bytes.size());
  if (code == ARGON2_OK) return true;
  if (code == ARGON2_VERIFY_MISMATCH) return false;
  return argon_failure(code);
}

bool needs_rehash(std::string_view phc, const PasswordCost& cost) {
  const auto now = password_cost(phc);
  return !now || now->memory_kib < cost.memory_kib || now->passes < cost.passes;
}

}  // namespace hy::crypto
