#include "tcp/syn_cookie.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

namespace handfast::tcp {

using base::Segment;
using base::TcpOptions;

namespace {

constexpr unsigned kMacBits = 27;
constexpr std::uint32_t kMacMask = (1U << kMacBits) - 1;
constexpr unsigned kMssAt = kMacBits;
constexpr std::uint32_t kMssMask = 7;
constexpr unsigned kMinuteAt = 30;
constexpr std::uint32_t kMinuteMask = 3;
constexpr std::uint32_t kMinutesOldMax = 1;

// An offer is rounded down: from the floor, over what paths of PPP, tunnels and Ethernet have with
// either IP version, to jumbo frames.
constexpr auto kMss = std::to_array<std::uint16_t>({88, 536, 1220, 1360, 1400, 1440, 1460, 8940});
static_assert(kMss.front() == kMinSendMss && kMss.size() == kMssMask + 1);

constexpr std::uint32_t kShiftMask = 0xf;
constexpr std::uint32_t kNoScaling = HalfOpen::kNoScaling;
constexpr std::uint32_t kSackBit = 1 << 4;
constexpr std::uint32_t kEcnBit = 1 << 5;
constexpr std::uint32_t kOptionsMask = 0x3f;
// What the MAC has for options where there are no timestamps to carry them.
constexpr std::uint32_t kNoTimestamps = kOptionsMask + 1;

std::uint32_t minute_of(Instant now) {
  return static_cast<std::uint32_t>(now.ns() / Duration(std::chrono::minutes(1)).count());
}

std::uint32_t index_of_mss(std::uint16_t mss) {
  const auto above = std::ranges::upper_bound(kMss, mss);
  return static_cast<std::uint32_t>(std::max<std::ptrdiff_t>(above - kMss.begin(), 1) - 1);
}

struct Covered {
  Seq irs;
  std::uint32_t minute;
  std::uint32_t mss_index;
  std::uint32_t options;
};

std::uint32_t mac_of(const base::FlowKey& key, const Covered& covered,
                     const base::SipKey& cookie_key) {
  const std::array<std::uint64_t, 2> words = {
      std::uint64_t{key.local_port} << 48 | std::uint64_t{key.remote_port} << 32 |
          covered.irs.raw(),
      std::uint64_t{covered.minute} << 32 | covered.mss_index << 8 | covered.options};
  std::array<std::byte, 48> message;
  std::memcpy(message.data(), words.data(), 16);
  if (key.local.is_v4()) {
    const std::array<std::uint32_t, 2> addresses = {key.local.v4_value(), key.remote.v4_value()};
    std::memcpy(message.data() + 16, addresses.data(), 8);
    return static_cast<std::uint32_t>(base::siphash(cookie_key, std::span{message}.first(24))) &
           kMacMask;
  }
  std::memcpy(message.data() + 16, key.local.bytes().data(), 16);
  std::memcpy(message.data() + 32, key.remote.bytes().data(), 16);
  return static_cast<std::uint32_t>(base::siphash(cookie_key, message)) & kMacMask;
}

std::uint32_t options_of(const HalfOpen& half) {
  if (!half.timestamps) return kNoTimestamps;
  return half.window_shift | (half.sack ? kSackBit : 0) | (half.ecn ? kEcnBit : 0);
}

void set_options(HalfOpen& half, std::uint32_t options) {
  half.timestamps = options != kNoTimestamps;
  const std::uint32_t carried = half.timestamps ? options : kNoScaling;
  half.window_shift = carried & kShiftMask;
  half.sack = (carried & kSackBit) != 0;
  half.ecn = (carried & kEcnBit) != 0;
}

// Never ahead of our clock, or what the connection sends next would look old to the peer (PAWS).
std::uint32_t stamp_with(std::uint32_t options, std::uint32_t timestamp) {
  const std::uint32_t stamp = (timestamp & ~kOptionsMask) | options;
  const bool is_ahead = static_cast<std::int32_t>(stamp - timestamp) > 0;
  return is_ahead ? stamp - (kOptionsMask + 1) : stamp;
}

}  // namespace

base::SipKey syn_cookie_key(const base::SipKey& secret) {
  constexpr std::uint64_t kPurpose = 0x4987;
  return {base::siphash(secret, kPurpose, 0), base::siphash(secret, kPurpose, 1)};
}

Segment syn_ack_with_syn_cookie(const base::FlowKey& key, const Segment& syn,
                                const base::SipKey& cookie_key, const Context& context) {
  HalfOpen half{};
  open_half(half, key, syn, Seq{}, context);
  const std::uint32_t options = options_of(half);
  set_options(half, options);
  const Covered covered{.irs = syn.seq,
                        .minute = minute_of(context.now),
                        .mss_index = index_of_mss(half.peer_mss),
                        .options = options};
  half.iss = Seq{(covered.minute & kMinuteMask) << kMinuteAt | covered.mss_index << kMssAt |
                 mac_of(key, covered, cookie_key)};
  Segment answer = syn_ack_of(half, context);
  if (half.timestamps) answer.options.ts_value = stamp_with(options, context.timestamp);
  return answer;
}

std::optional<HalfOpen> half_open_of_syn_cookie(const base::FlowKey& key, const Segment& seg,
                                                const base::SipKey& cookie_key,
                                                const Context& context) {
  if (!seg.has(base::kAck) || seg.has(base::kSyn) || seg.has(base::kRst)) return std::nullopt;
  const std::uint32_t cookie = (seg.ack - 1).raw();
  const std::uint32_t minute = minute_of(context.now);
  const std::uint32_t age = (minute - (cookie >> kMinuteAt)) & kMinuteMask;
  if (age > kMinutesOldMax) return std::nullopt;
  const bool timestamps = context.parameters.timestamps && seg.options.has(TcpOptions::kTimestamps);
  const Covered covered{.irs = seg.seq - 1,
                        .minute = minute - age,
                        .mss_index = cookie >> kMssAt & kMssMask,
                        .options = timestamps ? seg.options.ts_echo & kOptionsMask : kNoTimestamps};
  if (mac_of(key, covered, cookie_key) != (cookie & kMacMask)) return std::nullopt;
  HalfOpen half{};
  half.key = key;
  half.irs = covered.irs;
  half.iss = seg.ack - 1;
  half.peer_mss = kMss[covered.mss_index];
  set_options(half, covered.options);
  if (timestamps) half.ts_recent = seg.options.ts_value;
  return half;
}

}  // namespace handfast::tcp
