#include "tcp/path_mtu.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "base/siphash.hpp"
#include "tcp/scoreboard.hpp"
#include "tcp/transfer_pool.hpp"

namespace handfast::tcp {

namespace {

// RFC 1191 section 7.1, table 7-1, from the largest MTU we have downwards.
constexpr std::array<std::uint16_t, 7> kPlateaus = {8166, 4352, 2002, 1492, 1006, 508, 296};
constexpr std::uint16_t kLowestMtu = 68;      // RFC 791
constexpr std::uint16_t kLowestMtuV6 = 1280;  // RFC 8200 section 5
// Nothing smaller is believed: what tiny segments cost is an attack of its own.
constexpr std::uint32_t kFloor = kMinSendMss - kTimestampOption;

constexpr Duration kTriedAgainAfter = std::chrono::minutes(10);
constexpr std::uint8_t kDoublingsMax = 7;  // 21 hours

// Time-outs of one segment before its size is suspected; more where segments as large have arrived
// before, since then it is rather plain loss.
constexpr std::uint8_t kSilentTimeouts = 2;
constexpr std::uint8_t kSilentTimeoutsAfterArrivals = 5;
constexpr std::uint8_t kSilentProbes = 3;  // of the window
// MSS to fall back to. Most paths that swallow large packets are tunnels and take the first; the
// second is what every host takes (RFC 9293 section 3.7.1, MUST-15).
constexpr std::array<std::uint16_t, 2> kSmallerMss = {1024, kDefaultSendMss};
constexpr std::array<std::uint16_t, 1> kSmallerMssV6 = {kDefaultSendMssV6};

std::uint32_t option_bytes(const Tcb& tcb) {
  return tcb.timestamps ? kTimestampOption : 0;
}

std::uint32_t header_bytes(const Tcb& tcb) {
  return (tcb.key.local.is_v4() ? 40 : 60) + option_bytes(tcb);
}

// Bytes of text in the segment sent and not acknowledged that holds `seq`; 0: there is none. What
// left as a probe of the window is not in flight, but was sent.
std::uint32_t sent_text_at(const Tcb& tcb, Seq seq) {
  for (const SendNode* node = tcb.send_queue.front(); node != nullptr && node->is_sent;
       node = tcb.send_queue.after(node)) {
    if (seq.is_within(node->seq, node->length)) return node->length;
  }
  if (!tcb.is_persisting() || seq != tcb.snd_nxt) return 0;
  const Seq probed = tcb.fin_sent() ? tcb.snd_end : tcb.snd_max;
  return probed - tcb.snd_nxt;
}

// What a router that does not say will take: the next plateau below what it refused.
std::uint16_t plateau_below(std::uint32_t packet) {
  const auto below = std::ranges::find_if(kPlateaus, [packet](auto mtu) { return mtu < packet; });
  return below == kPlateaus.end() ? kLowestMtu : *below;
}

void lower(Tcb& tcb, std::uint32_t mss, Instant until) {
  Transfer& t = *tcb.transfer;
  if (t.full_mss == 0) t.full_mss = tcb.snd_mss;
  tcb.snd_mss = static_cast<std::uint16_t>(mss);
  t.full_mss_at = base::tick_at_or_after(until);
}

// The MSS that makes packets of `mtu` bytes.
std::uint32_t mss_for(const Tcb& tcb, std::uint32_t mtu) {
  const std::uint32_t headers = header_bytes(tcb);
  return std::max(mtu > headers ? mtu - headers : 0, kFloor);
}

void resend_too_big(Tcb& tcb) {
  for (SendNode* node = tcb.send_queue.front(); node != nullptr && node->is_sent;
       node = tcb.send_queue.after(node)) {
    if (node->length > tcb.snd_mss) mark_lost(tcb, node);
  }
  tcb.transfer->resend_forced = true;
  tcb.stop_timer();  // it waited for what is known now never to have arrived
}

}  // namespace

IcmpVerdict packet_too_big(Tcb& tcb, Seq quoted, std::uint16_t mtu, Context& context) {
  const std::uint32_t text = sent_text_at(tcb, quoted);
  if (text == 0) return IcmpVerdict::disbelieve;
  const std::uint32_t packet = text + header_bytes(tcb);
  const bool is_v4 = tcb.key.local.is_v4();
  if (is_v4 && mtu == 0) mtu = plateau_below(packet);
  // RFC 8201 section 4: less than the least of IPv6 is discarded.
  if (mtu < (is_v4 ? kLowestMtu : kLowestMtuV6) || mtu >= packet) return IcmpVerdict::disbelieve;
  const std::uint32_t mss = mss_for(tcb, mtu);
  if (mss >= tcb.snd_mss) return IcmpVerdict::disbelieve;
  lower(tcb, mss, context.now + kTriedAgainAfter);
  if (tcb.in_flight() > 0) resend_too_big(tcb);
  ++context.counters.path_mtu_lowered;
  return IcmpVerdict::note;
}

void suspect_black_hole(Tcb& tcb, Context& context) {
  const SendNode* const first = tcb.send_queue.front();
  const std::uint8_t silent =
      tcb.transfer->full_size_arrived ? kSilentTimeoutsAfterArrivals : kSilentTimeouts;
  if (tcb.retransmits < silent || first == nullptr || !first->is_sent) return;
  const std::uint32_t options = option_bytes(tcb);
  const std::span<const std::uint16_t> sizes =
      tcb.key.local.is_v4() ? std::span<const std::uint16_t>{kSmallerMss} : kSmallerMssV6;
  const auto smaller =
      std::ranges::find_if(sizes, [&](std::uint16_t mss) { return mss - options < first->length; });
  if (smaller == sizes.end()) return;
  Transfer& t = *tcb.transfer;
  const auto doublings = std::min(t.black_holes, kDoublingsMax);
  lower(tcb, *smaller - options, context.now + (1LL << doublings) * kTriedAgainAfter);
  if (t.black_holes < kDoublingsMax) ++t.black_holes;
  ++context.counters.path_mtu_black_holes;
}

bool is_probe_suspect(const Tcb& tcb) {
  return tcb.retransmits > kSilentProbes;
}

std::size_t PathMtus::place_of(const Address& remote) {
  // No secret: whoever takes another's place this way costs it a round trip.
  return base::siphash({}, std::as_bytes(std::span{remote.bytes()})) % kPlaces;
}

void PathMtus::remember(const Address& remote, std::uint32_t mtu, Instant now) {
  places_[place_of(remote)] = {remote, static_cast<std::uint16_t>(mtu), now + kTriedAgainAfter};
  knows_any_ = true;
}

const PathMtus::Known* PathMtus::find(const Address& remote, Instant now) const {
  const Known& known = places_[place_of(remote)];
  return known.mtu != 0 && known.remote == remote && now < known.until ? &known : nullptr;
}

void start_at(Tcb& tcb, const PathMtus::Known& known, Context& context) {
  const std::uint32_t mss = mss_for(tcb, known.mtu);
  // Without a Transfer there is nowhere to note it: the connection learns for itself.
  if (mss >= tcb.snd_mss || take_transfer(tcb, context) == nullptr) return;
  lower(tcb, mss, known.until);
}

void try_full_size(Tcb& tcb, Context& context) {
  Transfer& t = *tcb.transfer;
  if (t.full_mss == 0 || !base::is_due(t.full_mss_at, context.tick)) return;
  tcb.snd_mss = t.full_mss;
  t.full_mss = 0;
  t.full_size_arrived = false;
  ++context.counters.path_mtu_raised;
}

std::uint32_t path_mtu(const Tcb& tcb, const Parameters& parameters) {
  if (knows_smaller_path(tcb)) return tcb.snd_mss + header_bytes(tcb);
  return tcb.key.local.is_v4() ? parameters.mtu : parameters.mtu6;
}

}  // namespace handfast::tcp
