#include "client/judge/file/fields.h"

#include <array>

namespace hy::judge {
namespace {

using enum Field;

constexpr std::array kSendInvokeFields{kCmid, kConv, kKind, kPhash, kQuoted};
constexpr std::array kSendOkFields{kCmid, kConv, kSeq, kFlags};
constexpr std::array kSendFailFields{kCmid, kConv, kCode, kFlags};
constexpr std::array kSendInfoFields{kCmid, kConv, kCode};
constexpr std::array kStateFields{kCmid, kStates};
constexpr std::array kRecvFields{kVia, kPush, kConv, kSeq, kSender, kCmid, kPhash, kFlags};
constexpr std::array kRowFields{kConv, kSeq, kSender, kCmid, kFlags};
constexpr std::array kCursorFields{kConv, kSeq, kBase};
constexpr std::array kGapFields{kConv, kFrom, kTo, kCode};
constexpr std::array kConvFields{kConv};
constexpr std::array kAckFields{kPush};
constexpr std::array kSyncInvokeFields{kRequest, kSince};
constexpr std::array kSyncOkFields{kRequest, kSince, kUseq, kClockSteps, kHeads, kFlags};
constexpr std::array kPullInvokeFields{kRequest, kConv, kFrom, kTo};
constexpr std::array kPullOkFields{kRequest, kConv, kFrom, kTo, kRows, kTruncatedTo, kFlags};
constexpr std::array kUserEventFields{kUseq};
constexpr std::array kLoginInvokeFields{kConnection};
constexpr std::array kLoginOkFields{kConnection, kEpoch, kEntry};
constexpr std::array kLoginFailFields{kConnection, kCode};
constexpr std::array kCloseFields{kConnection, kCode, kClosedBy};
constexpr std::array kReceiptFields{kConv, kSeq, kBy, kFlags};
constexpr std::array kReadInvokeFields{kConv, kSeq};
constexpr std::array kReadFields{kRequest, kConv, kSeq};
constexpr std::array kUnreadFields{kConv, kCount};
constexpr std::array kPresenceFields{kAbout, kAnswer};
constexpr std::array kModeFields{kCode};
constexpr std::array kEndFields{kFlags};

}  // namespace

std::span<const Field> fields_of(Ev ev) {
  switch (ev) {
    case Ev::kSendInvoke: return kSendInvokeFields;
    case Ev::kSendOk: return kSendOkFields;
    case Ev::kSendFail: return kSendFailFields;
    case Ev::kSendInfo: return kSendInfoFields;
    case Ev::kState: return kStateFields;
    case Ev::kRecv: return kRecvFields;
    case Ev::kPersist:
    case Ev::kShow:
    case Ev::kMove: return kRowFields;
    case Ev::kCursor: return kCursorFields;
    case Ev::kGap: return kGapFields;
    case Ev::kReset: return kConvFields;
    case Ev::kAck: return kAckFields;
    case Ev::kSyncInvoke: return kSyncInvokeFields;
    case Ev::kSyncOk: return kSyncOkFields;
    case Ev::kPullInvoke: return kPullInvokeFields;
    case Ev::kPullOk: return kPullOkFields;
    case Ev::kUserEvent: return kUserEventFields;
    case Ev::kLoginInvoke: return kLoginInvokeFields;
    case Ev::kLoginOk: return kLoginOkFields;
    case Ev::kLoginFail: return kLoginFailFields;
    case Ev::kClose: return kCloseFields;
    case Ev::kRestart:
    case Ev::kNewStore: return {};
    case Ev::kReceipt: return kReceiptFields;
    case Ev::kReadInvoke: return kReadInvokeFields;
    case Ev::kReadAsk:
    case Ev::kReadOk: return kReadFields;
    case Ev::kUnread: return kUnreadFields;
    case Ev::kPresence: return kPresenceFields;
    case Ev::kMode: return kModeFields;
    case Ev::kEnd: return kEndFields;
  }
  return {};
}

}  // namespace hy::judge
