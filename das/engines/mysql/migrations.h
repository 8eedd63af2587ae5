#pragma once

#include <span>

#include "das/storage/schema.h"

namespace hy::das::mysql {

/// schema/*.sql, built in.
extern const std::span<const Migration> kMigrations;

}  // namespace hy::das::mysql
