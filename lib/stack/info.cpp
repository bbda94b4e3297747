// What can be read of a connection: ConnectionInfo from its records.

#include "stack/stack.hpp"
#include "tcp/congestion/congestion.hpp"
#include "tcp/path_mtu.hpp"

namespace handfast {

std::string_view to_string(CaState state) {
  switch (state) {
    case CaState::open:
      return "open";
    case CaState::disorder:
      return "disorder";
    case CaState::cwr:
      return "cwr";
    case CaState::recovery:
      return "recovery";
    case CaState::loss:
      return "loss";
  }
  return "unknown state";
}

namespace stack {
namespace {

CaState ca_state_of(tcp::Recovery recovery) {
  switch (recovery) {
    case tcp::Recovery::open:
      return CaState::open;
    case tcp::Recovery::disorder:
      return CaState::disorder;
    case tcp::Recovery::cwr:
      return CaState::cwr;
    case tcp::Recovery::fast:
      return CaState::recovery;
    case tcp::Recovery::loss:
      return CaState::loss;
  }
  return CaState::open;
}

// Unanswered: in flight for the second time. Walks what is in flight.
std::uint32_t resent_in_flight(const tcp::Tcb& tcb) {
  std::uint32_t segments = 0;
  for (const tcp::SendNode* node = tcb.send_queue.front(); node != nullptr && node->is_sent;
       node = tcb.send_queue.after(node)) {
    if (node->was_resent && !node->is_lost && !node->is_sacked) ++segments;
  }
  return segments;
}

void add_transfer(const tcp::Tcb& tcb, ConnectionInfo& out) {
  const tcp::Transfer& t = *tcb.transfer;
  out.ca_state = ca_state_of(t.recovery);
  out.sacked = t.sacked_bytes;
  out.lost = t.lost_bytes;
  out.retrans = t.total_retrans == 0 ? 0 : resent_in_flight(tcb);
  out.total_retrans = t.total_retrans;
  out.reordering = t.reordering;
  out.dsack_dups = t.dsack_dups;
  out.min_rtt_us = t.min_rtt_us;
  out.delivered = t.delivered;
  out.delivery_rate = t.delivery_rate;
  out.pacing_rate = t.pacing_rate;
}

}  // namespace

// Where nothing gets past our own link, nobody else can have said so.
NetworkError Stack::network_error_of(const tcp::Tcb& tcb) const {
  if (neighbours_.is_silent(tcb.neighbour)) return NetworkError::next_hop_silent;
  return tcb.network_error;
}

ConnectionInfo Stack::info_of(const tcp::Tcb& tcb) const {
  ConnectionInfo info{
      .local = {.address = tcb.key.local, .port = tcb.key.local_port},
      .remote = {.address = tcb.key.remote, .port = tcb.key.remote_port},
      .state = tcb.state,
      .snd_mss = tcb.snd_mss,
      .snd_cwnd = tcb.cwnd,
      .snd_ssthresh = tcb.ssthresh,
      .snd_wnd = tcb.snd_wnd,
      .rcv_wnd = tcb.rcv_wnd(),
      .unacked = tcb.in_flight(),
      .notsent = tcb.snd_end.is_after(tcb.snd_max) ? tcb.snd_end - tcb.snd_max : 0,
      .rtt_us = tcb.srtt_us,
      .rttvar_us = tcb.rttvar_us,
      .rto_us = tcb.rto_us,
      .retransmits = tcb.retransmits,
      .timestamps = tcb.timestamps,
      .window_scaling = tcb.window_scaling,
      .sack = tcb.sack,
      .ecn = tcb.ecn,
      .congestion_control = tcp::congestion_of(tcb.congestion).name,
      .pmtu = tcp::path_mtu(tcb, parameters_),
      .rcv_ooopack = tcb.reassembly_count,
      .network_error = network_error_of(tcb),
  };
  if (tcb.transfer != nullptr) add_transfer(tcb, info);
  return info;
}

}  // namespace stack
}  // namespace handfast
