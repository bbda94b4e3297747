#include "tcp/receive_window.hpp"

namespace handfast::tcp {

namespace {

// In slow start every ACK that the peer gets makes it faster.
constexpr std::uint8_t kQuickAcks = 16;
// While no round trip has been measured: the SYN was lost, for example.
constexpr std::uint32_t kAssumedRttUs = 100'000;

void begin_round(Tcb& tcb, const Context& context) {
  tcb.space_seq = tcb.rcv_nxt;
  tcb.space_since_us = context.now_us;
}

// The application keeps up: what it leaves lying calls for no more.
bool is_read(const Tcb& tcb, std::uint32_t capacity) {
  return tcb.receive_held < capacity / 2;
}

}  // namespace

void begin_receiving(Tcb& tcb, const Context& context) {
  tcb.quick_acks = kQuickAcks;
  begin_round(tcb, context);
}

void grow_capacity(Tcb& tcb, const Context& context) {
  const std::uint32_t rtt_us = tcb.srtt_us != 0 ? tcb.srtt_us : kAssumedRttUs;
  const std::uint32_t elapsed_us = context.now_us - tcb.space_since_us;
  if (elapsed_us > 2 * rtt_us) {
    if (elapsed_us > tcb.rto_us) tcb.quick_acks = kQuickAcks;
    begin_round(tcb, context);
    return;
  }
  const std::uint32_t capacity = receive_capacity(tcb, context.parameters);
  if (tcb.rcv_nxt - tcb.space_seq < capacity / 2) return;
  if (capacity == context.parameters.receive_buffer_max || !is_read(tcb, capacity)) return;
  if (!context.packets.is_low()) ++tcb.receive_growth;
}

}  // namespace handfast::tcp
