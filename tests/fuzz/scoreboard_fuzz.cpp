// The send queue and its scoreboard against an honest receiver behind a network that the input
// drives: it delivers, drops, duplicates and reorders segments and their acknowledgements. What
// counts as selectively acknowledged has arrived, and once the network behaves all data does.

#include <bitset>
#include <optional>

#include "base/assert.hpp"
#include "drivers/link/sim_pool.hpp"
#include "tcp/output.hpp"
#include "tcp/segment_arrives.hpp"
#include "tcp/timeouts.hpp"
#include "tcp/transfer_pool.hpp"
#include "tcp/user_calls.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/stream_bytes.hpp"
#include "tests/fuzz/tcb_check.hpp"

namespace handfast::fuzz {

namespace {

using base::Segment;
using base::Seq;

constexpr std::uint32_t kIss = 0xffffc000;  // it wraps on the way
constexpr std::uint32_t kPeerIss = 5000;
constexpr std::size_t kStream = 8192;
constexpr std::uint16_t kMss = 100;

// What has arrived, and the acknowledgement that it is worth.
class Peer {
 public:
  static Seq first() { return Seq{kIss + 1}; }

  void take(Seq seq, std::uint32_t length) {
    for (std::uint32_t i = 0; i < length; ++i) {
      const std::size_t place = seq + i - first();
      HANDFAST_ASSERT(place < kStream);
      arrived_.set(place);
    }
    last_ = seq - first();
    end_ = std::max(end_, last_ + length);
    while (next_ < kStream && arrived_[next_]) ++next_;
  }
  Segment acknowledgement(bool with_sack) const {
    Segment segment;
    segment.flags = base::kAck;
    segment.seq = Seq{kPeerIss + 1};
    segment.ack = first() + static_cast<std::uint32_t>(next_);
    segment.window = 0xffff;
    if (!with_sack) return segment;
    // RFC 2018 section 4: the run of the newest first, then others from below.
    if (last_ > next_) add_block(segment.options, last_);
    for (std::size_t at = next_; at < end_ && segment.options.sack_count < 3; ++at) {
      if (!arrived_[at]) continue;
      at = add_block(segment.options, at);
    }
    return segment;
  }
  std::size_t count_beyond(Seq seq) const { return (arrived_ >> (seq - first())).count(); }

 private:
  // Of the run around `at`; returns its end.
  std::size_t add_block(base::TcpOptions& options, std::size_t at) const {
    std::size_t left = at;
    std::size_t right = at;
    while (left > next_ && arrived_[left - 1]) --left;
    while (right < kStream && arrived_[right]) ++right;
    const base::SackBlock block{first() + static_cast<std::uint32_t>(left),
                                first() + static_cast<std::uint32_t>(right)};
    const auto known = std::span{options.sack}.first(options.sack_count);
    if (std::ranges::find(known, block) == known.end()) options.sack[options.sack_count++] = block;
    return right;
  }

  std::bitset<kStream> arrived_;
  std::size_t next_ = 0;
  std::size_t last_ = 0;  // where the newest began
  std::size_t end_ = 0;   // of the highest
};

class Transfer {
 public:
  explicit Transfer(Input& input) : input_(input), with_sack_(input.flag()) {
    HANDFAST_ASSERT(transfers_.reserve(1));
    context_.set_time(Instant::from_ns(1'000'000'000));
    tcp::configure(tcb_, {}, parameters_);
    tcb_.congestion = static_cast<CongestionControl>(input.below(5));
    tcp::open(tcb_, {.local = Address::v4(1), .remote = Address::v4(2)}, Seq{kIss}, context_);
    output();
    Segment syn_ack;
    syn_ack.flags = base::kSyn | base::kAck;
    syn_ack.seq = Seq{kPeerIss};
    syn_ack.ack = Seq{kIss + 1};
    syn_ack.window = 0xffff;
    syn_ack.options.present = base::TcpOptions::kMss;
    syn_ack.options.mss = kMss;
    if (with_sack_) syn_ack.options.present |= base::TcpOptions::kSackPermitted;
    arrive(syn_ack);
    output();
    HANDFAST_ASSERT(tcb_.state == State::established && flight_.empty());
  }
  ~Transfer() {
    tcb_.send_queue.clear(*cache_);
    tcp::give_transfer_back(tcb_, context_);
    cache_.reset();
    HANDFAST_ASSERT(pool_.outstanding() == 0);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  void step() {
    switch (input_.below(10)) {
      case 0:
        return send(input_.half() % 3000);
      case 1:
        return wait(input_.byte());
      case 2:
        return deliver(input_.byte(), true);  // and it comes once more
      case 3:
        return drop(flight_, input_.byte());
      case 4:
        return drop(answers_, input_.byte());
      case 5:
      case 6:
        return answer(input_.byte());
      default:
        return deliver(input_.byte(), false);
    }
  }
  bool is_over() const { return tcb_.state == State::closed; }

  // The network behaves from now on.
  void finish() {
    constexpr int kTurnsMax = 5'000;
    for (int turn = 0; tcb_.snd_una != tcb_.snd_end && !is_over(); ++turn) {
      HANDFAST_ASSERT(turn < kTurnsMax);
      context_.set_time(context_.now + std::chrono::milliseconds(10));
      while (!flight_.empty()) deliver(0, false);
      while (!answers_.empty() && !is_over()) answer(0);
      if (flight_.empty() && answers_.empty()) wait(1);
    }
  }

 private:
  struct Sent {
    Seq seq;
    std::uint32_t length;
  };

  void send(std::size_t length) {
    length = std::min<std::size_t>(length, kStream - (tcb_.snd_end - Peer::first()));
    std::vector<std::byte> text(length);
    fill(text, tcb_.snd_end);
    HANDFAST_ASSERT(tcp::send(tcb_, text, context_).has_value());
    output();
  }
  void deliver(std::size_t which, bool again) {
    if (flight_.empty()) return;
    which %= flight_.size();
    const Sent sent = flight_[which];
    if (!again) drop(flight_, which);
    peer_.take(sent.seq, sent.length);
    answers_.push_back(peer_.acknowledgement(with_sack_));
  }
  void answer(std::size_t which) {
    if (answers_.empty()) return;
    which %= answers_.size();
    const Segment segment = answers_[which];
    drop(answers_, which);
    arrive(segment);
    output();
  }
  template <class T>
  static void drop(std::vector<T>& from, std::size_t which) {
    if (from.empty()) return;
    from.erase(from.begin() + static_cast<long>(which % from.size()));
  }

  void arrive(const Segment& segment) {
    base::Packet packet;
    HANDFAST_ASSERT(cache_->allocate(packet));
    HANDFAST_ASSERT(!tcp::segment_arrives(tcb_, segment, packet, context_).packet_kept);
    cache_->free(packet);
    check();
  }
  void check() {
    check_tcb(tcb_);
    if (tcb_.transfer == nullptr) return;
    HANDFAST_ASSERT(tcb_.transfer->sacked_bytes <= peer_.count_beyond(tcb_.snd_una));
  }
  void output() {
    tcp::Outgoing out;
    while (tcp::has_output(tcb_) && tcp::next_segment(tcb_, context_, out)) {
      const auto length = static_cast<std::uint32_t>(out.segment.payload.size());
      HANDFAST_ASSERT(is_right(out.segment.payload, out.segment.seq));
      if (length > 0) flight_.push_back({out.segment.seq, length});
    }
    tcp::finish_output(tcb_, context_);
    check_deadline(tcb_);
    check();
  }
  // An odd number: to the next deadline.
  void wait(std::uint8_t how) {
    Instant until = context_.now + Duration(std::int64_t{1000} << (how % 32));
    const base::Tick deadline = tcp::next_deadline(tcb_);
    if ((how & 1) != 0 && deadline != base::kNoTick) {
      const auto ahead = static_cast<std::int32_t>(deadline - context_.tick);
      const std::int64_t raw = (context_.now.ns() >> base::kTickShift) + ahead;
      until = std::max(context_.now, Instant::from_ns(raw << base::kTickShift));
    }
    context_.set_time(until);
    if (!tcp::timer_expired(tcb_, context_).gave_up) output();
  }

  Input& input_;
  bool with_sack_;
  StackConfig config_ = [] {
    StackConfig config;
    config.timestamps = false;
    return config;
  }();
  tcp::Parameters parameters_ = tcp::Parameters::from(config_, 0);
  drivers::SimPool pool_{256};
  std::optional<base::PacketCache> cache_{std::in_place, pool_};
  base::LiveCounters counters_;
  base::Slab<tcp::Transfer> transfers_;
  tcp::Context context_{.parameters = parameters_,
                        .packets = *cache_,
                        .counters = counters_,
                        .transfers = transfers_,
                        .now = {}};
  tcp::Tcb tcb_{};
  Peer peer_;
  std::vector<Sent> flight_;
  std::vector<Segment> answers_;
};

}  // namespace

}  // namespace handfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr int kStepsMax = 300;
  handfast::fuzz::Input input(data, size);
  handfast::fuzz::Transfer transfer(input);
  for (int i = 0; i < kStepsMax && !input.is_empty() && !transfer.is_over(); ++i) transfer.step();
  transfer.finish();
  return 0;
}
