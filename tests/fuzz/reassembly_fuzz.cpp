// What arrives out of order against a plain map of bytes: pieces of one stream come in any order,
// cut anywhere, again and again. After each the record has just the beginning that the map has, and
// tells in its SACK blocks of nothing that has not arrived.

#include <bitset>
#include <optional>

#include "base/assert.hpp"
#include "drivers/link/sim_pool.hpp"
#include "tcp/output.hpp"
#include "tcp/segment_arrives.hpp"
#include "tcp/user_calls.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/stream_bytes.hpp"
#include "tests/fuzz/tcb_check.hpp"

namespace handfast::fuzz {

namespace {

using base::Segment;
using base::Seq;

constexpr std::uint32_t kPeerIss = 0xfffff000;  // it wraps on the way
constexpr std::uint32_t kIss = 1000;
constexpr std::size_t kStream = 8192;
constexpr std::size_t kPackets = 560;
constexpr std::size_t kTextAt = 74;

class Receiver {
 public:
  explicit Receiver(Input& input) : input_(input) {
    HANDFAST_ASSERT(transfers_.reserve(1));
    context_.set_time(Instant::from_ns(1'000'000'000));
    tcp::configure(tcb_, {}, parameters_);
    tcp::open(tcb_, {.local = Address::v4(1), .remote = Address::v4(2)}, Seq{kIss}, context_);
    output();
    Segment syn_ack;
    syn_ack.flags = base::kSyn | base::kAck;
    syn_ack.seq = Seq{kPeerIss};
    syn_ack.ack = Seq{kIss + 1};
    syn_ack.window = 0xffff;
    syn_ack.options.present = base::TcpOptions::kSackPermitted;
    arrive(syn_ack, 0);
    HANDFAST_ASSERT(tcb_.state == State::established);
  }
  ~Receiver() {
    tcb_.receive_queue.clear(*cache_);
    tcb_.reassembly.clear(*cache_);
    cache_.reset();
    HANDFAST_ASSERT(pool_.outstanding() == 0);
  }
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  void step() {
    const std::size_t at = input_.half() % kStream;
    const std::uint8_t size = input_.byte();
    const std::size_t wanted = size < 128 ? size : std::size_t{size} * 4;
    const std::size_t length = std::min(wanted, kStream - at);
    Segment segment;
    segment.flags = base::kAck;
    segment.seq = first() + static_cast<std::uint32_t>(at);
    segment.ack = Seq{kIss + 1};
    segment.window = 0xffff;
    if (at + length == kStream && input_.flag()) segment.flags |= base::kFin;
    for (std::size_t i = at; i < at + length; ++i) arrived_.set(i);
    if (segment.has(base::kFin)) fin_arrived_ = true;
    arrive(segment, length);
    check();
    if (input_.flag()) output();
  }
  bool is_over() const { return tcb_.fin_received; }

 private:
  static Seq first() { return Seq{kPeerIss + 1}; }

  void arrive(Segment segment, std::size_t length) {
    base::Packet packet;
    HANDFAST_ASSERT(cache_->allocate(packet));
    std::byte* const text = packet.data + kTextAt;
    fill({text, length}, segment.seq);
    packet.length = static_cast<std::uint32_t>(kTextAt + length);
    segment.payload = {text, length};
    const tcp::Arrival arrival = tcp::segment_arrives(tcb_, segment, packet, context_);
    deliver(arrival.text);
    if (!arrival.packet_kept) cache_->free(packet);
    while (!tcb_.receive_queue.is_empty()) {
      const tcp::QueuedPacket* const queued = tcb_.receive_queue.pop_front();
      deliver({queued->text, queued->length});
      tcb_.receive_held -= queued->length;
      cache_->free(queued->packet);
    }
  }
  void deliver(std::span<const std::byte> text) {
    HANDFAST_ASSERT(is_right(text, first() + static_cast<std::uint32_t>(delivered_)));
    delivered_ += text.size();
  }

  void check() {
    while (contiguous_ < kStream && arrived_[contiguous_]) ++contiguous_;
    HANDFAST_ASSERT(delivered_ == contiguous_);
    HANDFAST_ASSERT(tcb_.fin_received == (fin_arrived_ && contiguous_ == kStream));
    check_tcb(tcb_);
  }

  void output() {
    tcp::Outgoing out;
    while (tcp::has_output(tcb_) && tcp::next_segment(tcb_, context_, out)) {
      for (std::size_t i = 0; i < out.segment.options.sack_count; ++i) {
        check_block(out.segment.options.sack[i]);
      }
    }
    tcp::finish_output(tcb_, context_);
  }
  void check_block(const base::SackBlock& block) const {
    HANDFAST_ASSERT(block.left.is_before(block.right));
    for (Seq at = block.left; at != block.right; at += 1) {
      const std::size_t place = at - first();
      HANDFAST_ASSERT(place < kStream ? arrived_[place] : place == kStream && fin_arrived_);
    }
  }

  Input& input_;
  StackConfig config_ = [] {
    StackConfig config;
    config.timestamps = false;
    return config;
  }();
  tcp::Parameters parameters_ = tcp::Parameters::from(config_, 0);
  drivers::SimPool pool_{kPackets};
  std::optional<base::PacketCache> cache_{std::in_place, pool_};
  base::LiveCounters counters_;
  base::Slab<tcp::Transfer> transfers_;
  tcp::Context context_{.parameters = parameters_,
                        .packets = *cache_,
                        .counters = counters_,
                        .transfers = transfers_,
                        .now = {}};
  tcp::Tcb tcb_{};
  std::bitset<kStream> arrived_;
  bool fin_arrived_ = false;
  std::size_t contiguous_ = 0;
  std::size_t delivered_ = 0;
};

}  // namespace

}  // namespace handfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // So few that packets always suffice.
  constexpr int kStepsMax = 200;
  handfast::fuzz::Input input(data, size);
  handfast::fuzz::Receiver receiver(input);
  for (int i = 0; i < kStepsMax && !input.is_empty() && !receiver.is_over(); ++i) receiver.step();
  return 0;
}
