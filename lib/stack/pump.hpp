// Pump: the poll loop's body, the same for a runtime's worker and for a simulated host: a stack,
// the device it is attached to, and the order in which they take turns.
#pragma once

#include <array>

#include "base/device.hpp"
#include "stack/stack.hpp"

namespace handfast::stack {

class Pump {
 public:
  // Both are borrowed for life.
  Pump(Stack& stack, base::Device& device) : stack_(&stack), device_(&device) {}

  // One turn; `hook()` runs between input and output. Returns the frames received and sent: 0 means
  // that there was nothing to do.
  template <class Hook>
  std::size_t turn(Instant now, Hook&& hook) {
    stack_->stages().begin_turn();
    // While what is ready to leave leaves no room for answers, input waits: in the device and not
    // as answers dropped. Unless nothing leaves at all, or two full peers would wait for each
    // other.
    const bool takes_input = stuck_ || stack_->has_room_for(kReceiveBurst);
    const std::size_t received = takes_input ? receive(now) : 0;
    stack_->input(now, std::span{received_}.first(received));
    stack_->set_behind(received == kReceiveBurst || !takes_input || has_left_over_);
    hook();
    stack_->advance(now);
    const std::size_t moved = received + flush(now);
    stack_->stages().end_turn(moved != 0);
    return moved;
  }
  std::size_t turn(Instant now) {
    return turn(now, [] {});
  }

 private:
  // Bursts sent in one turn at most: more connections than these have to wait for input.
  static constexpr int kBurstsPerTurn = 8;
  static constexpr std::size_t kReceiveBurst = 64;

  std::size_t receive(Instant now) {
    const base::StageScope scope(stack_->stages(), Stage::receive);
    return device_->receive(now, received_);
  }

  std::size_t flush(Instant now) {
    std::size_t sent_all = 0;
    for (int burst = 0; burst < kBurstsPerTurn; ++burst) {
      stack_->output(now);
      const std::span<const base::Packet> frames = stack_->frames();
      if (frames.empty()) break;
      const std::size_t sent = send(now, frames);
      sent_all += sent;
      // A full device gets its turn again after input: two full peers would else wait for ever.
      if (sent < frames.size()) break;
    }
    has_left_over_ = !stack_->frames().empty() || stack_->has_output();
    stuck_ = sent_all == 0 && !stack_->frames().empty();
    return sent_all;
  }

  std::size_t send(Instant now, std::span<const base::Packet> frames) {
    const base::StageScope scope(stack_->stages(), Stage::transmit);
    const std::size_t sent = device_->send(now, frames);
    stack_->sent(sent);
    return sent;
  }

  Stack* stack_;
  base::Device* device_;
  bool stuck_ = false;          // the device took nothing in the last turn
  bool has_left_over_ = false;  // not everything was sent
  std::array<base::Packet, kReceiveBurst> received_;
};

}  // namespace handfast::stack
