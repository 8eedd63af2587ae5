#pragma once

#include <string_view>
#include <vector>

#include "client/sdk/hongyan.hpp"

/// Bodies of the commands on chat groups as domain structs and back; judged like those of codec.h.
namespace hy::client {

/// creation_id: the same for every try, so that a repeat answers with the first group.
[[nodiscard]] Bytes encode_group_create(std::string_view name, const std::vector<Uid>& members,
                                        const ClientMsgId& creation_id);
[[nodiscard]] Result<Group> decode_group_create(ByteView body);
[[nodiscard]] Bytes encode_group_info(Gid gid);
[[nodiscard]] Result<Group> decode_group_info(ByteView body);
[[nodiscard]] Bytes encode_group_change(Gid gid, const std::vector<Uid>& add,
                                        const std::vector<Uid>& remove);
[[nodiscard]] Result<GroupChange> decode_group_change(ByteView body);

/// A message that brought `self` into its group: nothing below its seq is for this person.
[[nodiscard]] bool is_own_entry(const Message& message, Uid self);

}  // namespace hy::client
