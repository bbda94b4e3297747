#include "tcp/reassembly.hpp"

namespace handfast::tcp {

namespace {

// The heap's order of the treap. Every bit of the address reaches every bit of the rank.
std::uint64_t rank_of(const QueuedPacket* run) {
  auto bits = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(run));
  bits = (bits ^ (bits >> 31)) * 0x9e3779b97f4a7c15;
  bits = (bits ^ (bits >> 29)) * 0xd1b54a32d192ed03;
  return bits ^ (bits >> 32);
}

}  // namespace

QueuedPacket* Reassembly::lowest() const {
  QueuedPacket* run = root_;
  while (run != nullptr && run->lower != nullptr) run = run->lower;
  return run;
}

QueuedPacket* Reassembly::highest() const {
  QueuedPacket* run = root_;
  while (run != nullptr && run->higher != nullptr) run = run->higher;
  return run;
}

QueuedPacket* Reassembly::starting_at_or_before(base::Seq seq) const {
  QueuedPacket* found = nullptr;
  for (QueuedPacket* run = root_; run != nullptr;) {
    if (run->seq.is_at_or_before(seq)) {
      found = run;
      run = run->higher;
    } else {
      run = run->lower;
    }
  }
  return found;
}

QueuedPacket* Reassembly::starting_after(base::Seq seq) const {
  QueuedPacket* found = nullptr;
  for (QueuedPacket* run = root_; run != nullptr;) {
    if (run->seq.is_after(seq)) {
      found = run;
      run = run->lower;
    } else {
      run = run->higher;
    }
  }
  return found;
}

QueuedPacket* Reassembly::holding(base::Seq seq) const {
  QueuedPacket* const run = starting_at_or_before(seq);
  if (run == nullptr || !seq.is_within(run->seq, run->run_end - run->seq)) return nullptr;
  return run;
}

void Reassembly::insert(QueuedPacket* packet) {
  packet->run_packets = 1;
  packet->run_end = packet->end() + (packet->fin ? 1 : 0);
  packet->run_last = packet;
  link(packet);
}

// Goes down to where `run` outranks what is there, and splits that between its two sides.
void Reassembly::link(QueuedPacket* run) {
  QueuedPacket** place = &root_;
  while (*place != nullptr && rank_of(*place) >= rank_of(run)) {
    place = run->seq.is_before((*place)->seq) ? &(*place)->lower : &(*place)->higher;
  }
  QueuedPacket* rest = *place;
  *place = run;
  QueuedPacket** lower = &run->lower;
  QueuedPacket** higher = &run->higher;
  while (rest != nullptr) {
    if (rest->seq.is_before(run->seq)) {
      *lower = rest;
      lower = &rest->higher;
      rest = rest->higher;
    } else {
      *higher = rest;
      higher = &rest->lower;
      rest = rest->lower;
    }
  }
  *lower = *higher = nullptr;
}

void Reassembly::remove(QueuedPacket* run) {
  QueuedPacket** place = &root_;
  while (*place != run) {
    place = run->seq.is_before((*place)->seq) ? &(*place)->lower : &(*place)->higher;
  }
  QueuedPacket* low = run->lower;
  QueuedPacket* high = run->higher;
  while (low != nullptr && high != nullptr) {
    if (rank_of(low) >= rank_of(high)) {
      *place = low;
      place = &low->higher;
      low = low->higher;
    } else {
      *place = high;
      place = &high->lower;
      high = high->lower;
    }
  }
  *place = low != nullptr ? low : high;
}

void Reassembly::append(QueuedPacket* run, QueuedPacket* packet) {
  run->run_last->next = packet;
  run->run_last = packet;
  run->run_end = packet->end() + (packet->fin ? 1 : 0);
  ++run->run_packets;
}

void Reassembly::join(QueuedPacket* run, QueuedPacket* behind) {
  remove(behind);
  run->run_last->next = behind;
  run->run_last = behind->run_last;
  run->run_end = behind->run_end;
  run->run_packets = static_cast<std::uint16_t>(run->run_packets + behind->run_packets);
}

void Reassembly::free_all(base::PacketCache& packets) {
  while (QueuedPacket* const run = lowest()) {
    remove(run);
    const QueuedPacket* const last = run->run_last;
    for (QueuedPacket* packet = run; packet != nullptr;) {
      QueuedPacket* const next = packet == last ? nullptr : packet->next;
      packets.free(packet->packet);
      packet = next;
    }
  }
}

}  // namespace handfast::tcp
