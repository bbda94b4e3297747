#include "tests/fuzz/driven_stack.hpp"

#include "base/assert.hpp"
#include "tests/fuzz/link_plan.hpp"
#include "wire/arp.hpp"
#include "wire/discovery.hpp"
#include "wire/frame.hpp"
#include "wire/tcp.hpp"
#include "wire/tcp_layout.hpp"

namespace handfast::fuzz {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t kPackets = 128;

StackConfig choose_config(Input& input) {
  const std::uint8_t a = input.byte();
  const std::uint8_t b = input.byte();
  StackConfig config;
  config.interface.addresses = {{kOurs, 24}, {kOurs6, 64}};
  config.max_connections = 6;
  config.max_half_open = 4;
  config.max_time_wait = 4;
  config.max_listeners = 3;
  config.max_fast_open = 2;
  config.first_port = 40'000;
  config.last_port = 40'015;
  config.seed = 1;
  config.msl = 1s;
  config.user_timeout = 60s;
  config.timestamps = (a & 1) == 0;
  config.window_scaling = (a & 2) == 0;
  config.sack = (a & 4) == 0;
  config.textbook = (a & 8) != 0;
  if ((a & 16) != 0) config.delayed_ack = Duration(0);
  if ((a & 32) != 0) config.keep_alive = 10s;
  if ((a & 64) != 0) config.send_buffer = config.receive_buffer = 4096;
  if ((a & 128) != 0) config.interface.vlan = kVlan;
  config.congestion_control = static_cast<CongestionControl>(b % 5);
  config.fast_open = static_cast<FastOpen>((b >> 3) % 4);
  config.ecn = static_cast<EcnMode>((b >> 5) % 3);
  return config;
}

}  // namespace

DrivenStack::DrivenStack(Input& input)
    : input_(input), pool_(kPackets), remotes_(remote_ends()), application_(input, remotes_) {
  const StackConfig config = choose_config(input_);
  has_vlan_ = config.interface.vlan.has_value();
  const bool offloads = input_.flag();
  const base::DeviceInfo device{.mac = kOurMac,
                                .offload_ip_checksum = offloads,
                                .offload_tcp_checksum = offloads,
                                .tso_bytes_max = offloads ? 65'535U : 0U,
                                .frame_packets_max = base::kFramePacketsMax};
  stack::StackPlace place;
  place.isn_key = {1, 2};
  auto stack = stack::Stack::create(config, place, device, pool_, nullptr);
  HANDFAST_ASSERT(stack.has_value());
  stack_ = std::move(*stack);
  application_.set_worker(stack_->worker());
  HANDFAST_ASSERT(stack_->worker().listen({{}, 80}, application_).has_value());
  stack_->input(now_, {});
  output();
}

DrivenStack::~DrivenStack() {
  finish();
  stack_.reset();
  pool_.free(hogged_);
  HANDFAST_ASSERT(pool_.outstanding() == 0);
}

void DrivenStack::step() {
  switch (input_.below(16)) {
    case 0:
    case 1:
      return wait();
    case 2:
    case 3:
    case 4:
      application_.act();
      return output();
    case 5:
      return hog();
    case 6:
      answers_ = !answers_;
      return;
    case 7:
      // A device that takes only some.
      stack_->output(now_);
      return take(input_.below(8));
    case 8:
      // One burst of several.
      arriving_.push_back(choose_frame());
      return;
    default:
      arriving_.push_back(choose_frame());
      arrive();
      return output();
  }
}

// --- the device

void DrivenStack::arrive() {
  std::vector<base::Packet> burst;
  constexpr std::array kTag{std::byte{0x81}, std::byte{0}, std::byte{0}, std::byte{kVlan}};
  for (Frame& frame : arriving_) {
    if (has_vlan_ && frame.size() >= 12) {
      frame.insert(frame.begin() + 12, kTag.begin(), kTag.end());
    }
    base::Packet packet;
    if (frame.size() > pool_.data_room() || pool_.allocate({&packet, 1}) == 0) continue;
    std::ranges::copy(frame, packet.data);
    packet.length = static_cast<std::uint32_t>(frame.size());
    burst.push_back(packet);
  }
  arriving_.clear();
  stack_->input(now_, burst);
}

void DrivenStack::output() {
  stack_->output(now_);
  take(stack_->frames().size());
}

void DrivenStack::take(std::size_t packets) {
  std::size_t taken = 0;
  while (taken < packets && taken < stack_->frames().size()) {
    const auto frame = base::first_frame(stack_->frames().subspan(taken));
    Frame bytes;
    for (const base::Packet& packet : frame) {
      bytes.insert(bytes.end(), packet.bytes().begin(), packet.bytes().end());
    }
    complete(frame.front(), bytes);
    see(bytes);
    taken += frame.size();
  }
  const std::vector<base::Packet> gone(stack_->frames().begin(),
                                       stack_->frames().begin() + static_cast<long>(taken));
  stack_->sent(taken);
  pool_.free(gone);
}

// What a device does when asked, but for cutting up what is too long.
void DrivenStack::complete(const base::Packet& first, Frame& bytes) {
  const auto layout = wire::tcp_layout_of(bytes);
  if (!layout) return;
  if ((first.flags & base::kOffloadIpChecksum) != 0) wire::complete_ip_checksum(bytes, *layout);
  if ((first.flags & base::kOffloadL4Checksum) == 0) return;
  wire::complete_tcp_checksum(bytes, *layout, first.segment_size != 0);
}

// Whatever we send, we would take.
void DrivenStack::see(const Frame& bytes) {
  Frame copy = bytes;
  wire::LinkFilter filter;
  std::memcpy(filter.mac.data(), bytes.data(), filter.mac.size());
  if (base::load_be16(&bytes[12]) == wire::kEtherTypeVlan) filter.vlan = kVlan;
  const base::Packet packet{.data = copy.data(), .length = static_cast<std::uint32_t>(copy.size())};
  wire::Frame frame;
  HANDFAST_ASSERT(wire::parse_frame(packet, filter, frame) == wire::Drop::none);
  HANDFAST_ASSERT(frame.source_mac == kOurMac);
  if (frame.kind == wire::FrameKind::tcp) {
    see_segment(frame);
    sent_.push_front(bytes);
    if (sent_.size() > kSentMax) sent_.pop_back();
  } else if (answers_) {
    answer_questions(frame);
  }
}

void DrivenStack::see_segment(const wire::Frame& frame) {
  wire::TcpPorts ports;
  base::Segment segment;
  HANDFAST_ASSERT(wire::parse_tcp(frame.payload, frame, ports, segment) == wire::Drop::none);
  Flow flow{.key = {.local = frame.source,
                    .remote = frame.destination,
                    .local_port = ports.source,
                    .remote_port = ports.destination},
            .next = segment.seq + segment.len(),
            .expected = segment.ack,
            .ts_value = segment.options.ts_value,
            .has_timestamps = segment.options.has(base::TcpOptions::kTimestamps)};
  std::erase_if(flows_, [&](const Flow& other) { return other.key == flow.key; });
  flows_.push_front(flow);
  if (flows_.size() > kFlowsMax) flows_.pop_back();
}

// --- time

void DrivenStack::wait() {
  const std::uint8_t how = input_.byte();
  if ((how & 1) == 0) return advance_to(now_ + Duration(std::int64_t{1000} << (how >> 3)));
  const Instant next = stack_->next_deadline();
  if (!next.is_never()) advance_to(next);
}

void DrivenStack::advance_to(Instant at) {
  now_ = std::max(now_, at);
  arrive();
  stack_->advance(now_);
  output();
}

// Takes packets away from the stack, or gives some back.
void DrivenStack::hog() {
  const std::size_t wanted = input_.below(kPackets + 1);
  while (hogged_.size() > wanted) {
    pool_.free({&hogged_.back(), 1});
    hogged_.pop_back();
  }
  base::Packet packet;
  while (hogged_.size() < wanted && pool_.allocate({&packet, 1}) == 1) hogged_.push_back(packet);
}

// The device goes on; the input, and with it the application, has nothing more to say.
void DrivenStack::finish() {
  pool_.free(hogged_);
  hogged_.clear();
  application_.give_buffers_back();
  stack_->stop(now_);
  // Every connection gets its turn soon: nothing may keep the stack from becoming idle.
  constexpr int kTurnsMax = 20'000;
  for (int turn = 0; turn < kTurnsMax; ++turn) {
    output();
    const Instant next = stack_->next_deadline();
    if (next.is_never()) break;
    advance_to(next);
    HANDFAST_ASSERT(turn + 1 < kTurnsMax);
  }
  application_.give_buffers_back();  // those of its last callbacks
  HANDFAST_ASSERT(stack_->open_count() == 0 && stack_->half_open_count() == 0);
  HANDFAST_ASSERT(stack_->time_wait_count() == 0);
  HANDFAST_ASSERT(application_.are_all_closed());
}

}  // namespace handfast::fuzz
