// Buffers in handlers' hands: where they come from, and how they become part of a send queue.

#include "stack/stack.hpp"
#include "tcp/user_calls.hpp"

namespace handfast {

Buffer::~Buffer() {
  if (stack_ != nullptr) stack_->give_back(packet_);
}

}  // namespace handfast

namespace handfast::stack {

std::expected<Buffer, Error> Stack::allocate_buffer() {
  base::Packet packet;
  if (!packets_.allocate_to_keep(packet)) {
    ++counters_.no_packet_buffer;
    return std::unexpected(Error::no_packet_buffer);
  }
  return Buffer{*this,       packet.buffer,
                packet.data, packet.data + tcp::kHeaderRoom,
                0,           tcp::send_node_room(packets_)};
}

std::expected<Buffer, Error> Stack::retain(std::uint32_t index) {
  if (!delivery_.is_running || delivery_.index != index || delivery_.is_retained) {
    return std::unexpected(Error::wrong_state);
  }
  const base::Packet& packet = delivery_.packet;
  const auto length = static_cast<std::uint32_t>(delivery_.text.size());
  // The buffer may be sent at once, and its headroom then has other links than the queue's.
  if (delivery_.is_queued) {
    tcp::Tcb& tcb = connections_[index];
    tcb.receive_queue.pop_front();
    tcb.receive_held -= length;
  }
  delivery_.is_retained = true;
  std::byte* const text = packet.data + (delivery_.text.data() - packet.data);
  return Buffer{*this, packet.buffer, packet.data, text, length, length};
}

std::expected<void, Error> Stack::send(std::uint32_t index, Buffer& buffer) {
  const base::StageScope scope(stages_, Stage::protocol);
  if (!buffer.is_valid()) return {};
  if (buffer.stack_ != this) return std::unexpected(Error::wrong_state);
  const base::Packet packet{.data = buffer.packet_data_, .buffer = buffer.packet_};
  const auto sent = tcp::send(connections_[index], packet, buffer.bytes(), context_);
  if (!sent) {
    if (sent.error() != Error::wrong_state) want_room(index);
    return sent;
  }
  buffer.stack_ = nullptr;  // the send queue's now
  buffer = Buffer{};
  schedule_after_call(index);
  return {};
}

// on_writable is owed: when something is acknowledged or, with nothing in flight, when the pool has
// packets again.
void Stack::want_room(std::uint32_t index) {
  tcp::Tcb& tcb = connections_[index];
  tcb.writable_wanted = true;
  if (!tcb.send_queue.is_empty() || tcb.starved) return;
  tcb.starved = true;
  starved_.push(index);
}

}  // namespace handfast::stack
