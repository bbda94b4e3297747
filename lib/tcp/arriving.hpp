// The steps of SEGMENT ARRIVES. Private to lib/tcp: segment_arrives.cpp lists them in the RFC's
// order, syn_sent.cpp and receive_text.cpp hold their share.
#pragma once

#include "tcp/segment_arrives.hpp"

namespace handfast::tcp {

struct Arriving {
  Arriving(Tcb& of, const base::Segment& arrived, const base::Packet& in, Context& with)
      : tcb(of), seg(arrived), packet(in), context(with) {}

  Tcb& tcb;
  base::Segment seg;  // a copy: it is trimmed to the window on its way
  const base::Packet& packet;
  Context& context;
  Arrival out;
  bool window_is_unscaled = false;  // the segment had a SYN (RFC 7323 section 2.2)

  // Each returns whether to go on with the next step.
  bool in_syn_sent();
  bool check_timestamps();
  bool check_sequence_number();
  void remember_timestamp(Seq first);
  bool check_rst();
  bool check_syn();
  bool check_ack();
  void take_marks();
  void take_text();
  void take_fin();

 private:
  std::uint32_t window() const {
    return std::uint32_t{seg.window} << (window_is_unscaled ? 0 : tcb.snd_shift);
  }
  bool ack_in_syn_received();
  bool ack_is_acceptable();
  bool is_next_and_fits() const;
  bool is_duplicate_ack() const;
  void take_acknowledgement();
  void take_window();
  bool after_ack();
  void trim_to_window();
  void enter_established();
  void trim_to_reassembly();
  void keep_out_of_order();
  void queue_text();
  void drain_reassembly();
  void peer_finished();
  void close(CloseReason reason);
};

}  // namespace handfast::tcp
