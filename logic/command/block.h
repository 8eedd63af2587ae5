#pragma once

#include "logic/command/request.h"
#include "logic/domain/pair_facts_cache.h"
#include "logic/ports/relation_port.h"

namespace hy::logic {

/// BLOCK: the caller accepts no messages from somebody any more, or does again.
class Block {
 public:
  Block(RelationPort& relations, PairFactsCache& facts, const Clock& clock)
      : relations_(relations), facts_(facts), clock_(clock) {}
  void run(RequestPtr request, std::string_view body);

 private:
  RelationPort& relations_;
  PairFactsCache& facts_;
  const Clock& clock_;
};

}  // namespace hy::logic
