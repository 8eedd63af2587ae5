#pragma once

#include <span>

#include "common/config/property.h"
#include "logic/command/login.h"
#include "logic/password_pool.h"
#include "logic/session/rates.h"

namespace hy::logic {

/// The keys of [logic].
std::span<const config::Property> properties();

/// What one key's bounds cannot say. Errors: kConfigOutOfBounds.
Status check_together(const config::Values& values);

Rates::Limits rate_limits(const config::Values& values);
PasswordPool::Options password_options(const config::Values& values, std::size_t cores);

}  // namespace hy::logic
