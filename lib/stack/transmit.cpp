// From a planned segment to a frame, without copying its text: the headers are written into the
// packet of the send queue, right before the text, and the packet is shared with the device until
// that has sent it.
//
//   buffer start    packet.data           text
//        | SendNode |        | headers    | text     |   the next node's | text      |
//                            |<-- first packet ----->|                   |<-second ->|

#include <algorithm>

#include "stack/stack.hpp"
#include "wire/tcp.hpp"

namespace handfast::stack {

using base::Segment;
using tcp::Outgoing;
using tcp::SendNode;
using tcp::Tcb;

namespace {

// Where a segment that the device cuts up is not one frame for us.
bool is_large(const Outgoing& out) {
  return out.segment_size != 0;
}

}  // namespace

void Stack::transmit(const Tcb& tcb, const Outgoing& out) {
  if (out.node != nullptr && transmit_in_place(tcb, out)) return;
  if (is_large(out)) return transmit_each(tcb, out);
  emit(tcb.key, out.segment, tcb.neighbour, tcb.dscp);
}

// A packet that is shared already is with the device still, or waits in frames(): its headers must
// stay as they are. And there may be no room for headers, where a handler's buffer was queued.
bool Stack::can_leave_in_place(const Outgoing& out, std::uint32_t headers) const {
  const auto* const node_end = reinterpret_cast<const std::byte*>(out.node + 1);
  if (out.node->text - node_end < static_cast<std::ptrdiff_t>(headers)) return false;
  const SendNode* node = out.node;
  for (std::uint32_t left = out.length; left > 0; left -= node->length, node = node->next) {
    if (packets_.is_shared(node->packet)) return false;
  }
  return true;
}

bool Stack::transmit_in_place(const Tcb& tcb, const Outgoing& out) {
  const wire::LinkHeader* const link = neighbours_.link_header(tcb.neighbour, context_.now);
  if (link == nullptr || device_.copies_shared) return false;
  const wire::TcpEmit emit{
      .link = *link,
      .ip = ip_fields_of(tcb.key, out.segment, tcb.dscp),
      .ports = {.source = tcb.key.local_port, .destination = tcb.key.remote_port},
      .segment = out.segment,
      .segment_size = out.segment_size,
      .offload_ip_checksum = interface_.offload_ip_checksum(),
      .offload_tcp_checksum = interface_.offload_tcp_checksum()};
  const std::uint32_t headers = wire::headers_length(emit);
  if (!can_leave_in_place(out, headers)) return false;
  std::byte* const first = out.node->text - headers;
  const std::uint64_t text_sum = emit.offload_tcp_checksum ? 0 : wire::sum(out.segment.payload);
  wire::emit_headers(first, emit, out.length, text_sum);

  base::Packet packet{.data = first,
                      .buffer = out.node->packet.buffer,
                      .length = headers + out.node->length,
                      .flags = wire::offload_flags(emit),
                      .segment_size = out.segment_size};
  const SendNode* node = out.node;
  for (std::uint32_t left = out.length - node->length; left > 0; left -= node->length) {
    packet.flags |= base::kContinues;
    packets_.share(packet);
    put(packet);
    node = node->next;
    packet = {.data = node->text, .buffer = node->packet.buffer, .length = node->length};
  }
  packets_.share(packet);
  put(packet);
  count_sent(out.segment);
  if (is_large(out)) {
    counters_.data_sent += (out.length - 1) / out.segment_size;
    ++counters_.large_sent;
  }
  return true;
}

// As they would have left without a device that cuts.
void Stack::transmit_each(const Tcb& tcb, const Outgoing& out) {
  Outgoing part{.segment = out.segment, .node = out.node};
  for (std::uint32_t left = out.length; left > 0; part.node = part.node->next) {
    part.length = part.node->length;
    left -= part.length;
    part.segment.seq = part.node->seq;
    part.segment.payload = {part.node->text, part.length};
    part.segment.flags = out.segment.flags;
    if (left > 0) part.segment.flags &= static_cast<std::uint8_t>(~(base::kFin | base::kPsh));
    if (part.node != out.node) part.segment.flags &= static_cast<std::uint8_t>(~base::kCwr);
    transmit(tcb, part);
  }
}

}  // namespace handfast::stack
