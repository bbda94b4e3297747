#include "tcp/fast_open.hpp"

#include <algorithm>
#include <cstring>
#include <span>

#include "tcp/congestion/congestion.hpp"
#include "tcp/half_open.hpp"
#include "tcp/handshake_options.hpp"
#include "tcp/receive_window.hpp"
#include "tcp/transfer_pool.hpp"

namespace handfast::tcp {

using base::Segment;
using base::TcpOptions;

namespace {

constexpr std::size_t kCookieBytes = 8;  // as Linux's
constexpr Duration kKeyLifetime = std::chrono::hours(6);
constexpr std::uint32_t kOptionsMax = 40;

using Cookie = std::array<std::uint8_t, kCookieBytes>;

std::int64_t epoch_of(Instant now) {
  return now.ns() / kKeyLifetime.count();
}

// Section 4.1.2: over the client's address, which is what it proves, and ours.
Cookie cookie_of(const base::FlowKey& key, const base::SipKey& secret, std::int64_t epoch) {
  constexpr std::uint64_t kPurpose = 0x7413;
  const auto number = static_cast<std::uint64_t>(epoch);
  const base::SipKey key_of_epoch = {base::siphash(secret, kPurpose, 2 * number),
                                     base::siphash(secret, kPurpose, 2 * number + 1)};
  std::array<std::byte, 32> addresses;
  std::memcpy(addresses.data(), key.remote.bytes().data(), 16);
  std::memcpy(addresses.data() + 16, key.local.bytes().data(), 16);
  const std::uint64_t hash = base::siphash(key_of_epoch, addresses);
  Cookie cookie;
  std::memcpy(cookie.data(), &hash, sizeof hash);
  return cookie;
}

}  // namespace

void add_cookie(Segment& syn_ack, const base::FlowKey& key, const base::SipKey& secret,
                Instant now) {
  syn_ack.options.present |= TcpOptions::kFastOpen;
  syn_ack.options.cookie_length = kCookieBytes;
  std::ranges::copy(cookie_of(key, secret, epoch_of(now)), syn_ack.options.cookie.begin());
}

bool has_good_cookie(const Segment& syn, const base::FlowKey& key, const base::SipKey& secret,
                     Instant now) {
  const TcpOptions& options = syn.options;
  if (!options.has(TcpOptions::kFastOpen) || options.cookie_length != kCookieBytes) return false;
  const std::span shown = std::span{options.cookie}.first<kCookieBytes>();
  const std::int64_t epoch = epoch_of(now);
  return std::ranges::equal(shown, cookie_of(key, secret, epoch)) ||
         std::ranges::equal(shown, cookie_of(key, secret, epoch - 1));
}

Arrival open_with_text(Tcb& tcb, const base::FlowKey& key, const Segment& syn, Seq iss,
                       Context& context) {
  HalfOpen half{};
  open_half(half, key, syn, iss, context);
  promote(tcb, half, context);
  tcb.snd_nxt = tcb.snd_max = tcb.snd_una;
  tcb.syn_pending = true;
  tcb.fast_open = true;
  if (!tcb.user_timeout_set) tcb.user_timeout = context.parameters.syn_timeout;
  tcb.snd_wnd = tcb.max_snd_wnd = syn.window;
  start_congestion_control(tcb, false, context);
  begin_receiving(tcb, context);
  Arrival out;
  out.text = syn.payload.first(std::min<std::size_t>(syn.payload.size(), tcb.rcv_wnd()));
  tcb.rcv_nxt += static_cast<std::uint32_t>(out.text.size());
  context.counters.payload_bytes_received += out.text.size();
  return out;
}

std::size_t FastOpenCookies::place_of(const Address& server) const {
  // No secret: the servers are of the application's own choice.
  return base::siphash({}, std::as_bytes(std::span{server.bytes()})) % kPlaces;
}

const FastOpenCookies::Known* FastOpenCookies::find(const Address& server) const {
  const Known& known = places_[place_of(server)];
  return known.length != 0 && known.server == server ? &known : nullptr;
}

void FastOpenCookies::remember(const Address& server, const TcpOptions& of_syn_ack) {
  Known& known = places_[place_of(server)];
  known.server = server;
  known.mss = server.is_v4() ? kDefaultSendMss : kDefaultSendMssV6;
  if (of_syn_ack.has(TcpOptions::kMss)) known.mss = std::max(of_syn_ack.mss, kMinSendMss);
  known.length = of_syn_ack.cookie_length;
  known.cookie = of_syn_ack.cookie;
}

void FastOpenCookies::forget(const Address& server) {
  Known& known = places_[place_of(server)];
  if (known.server == server) known.length = 0;
}

void add_fast_open(Tcb& tcb, const FastOpenCookies::Known* known, Segment& syn, Context& context) {
  syn.options.present |= TcpOptions::kFastOpen;
  syn.options.cookie_length = 0;
  if (known == nullptr) return;
  syn.options.cookie_length = known->length;
  syn.options.cookie = known->cookie;
  const SendNode* const node = tcb.transfer == nullptr ? nullptr : tcb.transfer->unsent;
  const std::uint16_t mss =
      effective_send_mss(known->mss, false, tcb.key.local.is_v4(), context.parameters);
  if (node == nullptr || mss <= kOptionsMax) return;
  const std::uint32_t length = std::min<std::uint32_t>(node->length, mss - kOptionsMax);
  syn.payload = {node->text, length};
  tcb.snd_max += length;
  ++context.counters.fast_open_sent;
}

}  // namespace handfast::tcp
