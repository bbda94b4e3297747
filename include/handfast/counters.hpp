// Counters: what one worker has seen and done since it started, as plain numbers. A snapshot is
// taken from any thread with Runtime::counters(); each value is exact for its worker, the set is
// not one instant's.
#pragma once

#include <cstdint>
#include <string_view>

namespace handfast {

// X(name, meaning)
// clang-format off
#define HANDFAST_COUNTERS(X)                                                                     \
  X(frames_received, "frames taken from the device")                                             \
  X(frames_sent, "frames handed to the device")                                                  \
  X(bytes_received, "bytes of those frames, Ethernet header included")                           \
  X(bytes_sent, "bytes of those frames, Ethernet header included")                               \
  X(bursts_sent, "times frames were offered to the device")                                      \
  X(device_full, "times the device took fewer frames than were offered")                         \
  X(port_missed, "frames the port had no room or no buffer for; of all its workers, at the first")\
  X(port_too_long, "frames the port gave in parts that fit no buffer: dropped")                  \
  X(port_refused, "frames the port's driver refused to send as they were: dropped")              \
  X(busy_ns, "time of polls that moved a frame or ran a task, in ns")                            \
  X(idle_ns, "time of polls that found nothing to do, in ns, sleep included")                    \
  X(sleeps, "times the worker slept for want of work")                                           \
  X(syn_received, "TCP segments with SYN and no ACK")                                            \
  X(syn_ack_received, "TCP segments with SYN and ACK")                                           \
  X(ack_received, "TCP segments that only acknowledge")                                          \
  X(data_received, "TCP segments with payload and no FIN")                                       \
  X(fin_received, "TCP segments with FIN, payload or not")                                       \
  X(rst_received, "TCP segments with RST")                                                       \
  X(syn_sent, "TCP segments with SYN and no ACK")                                                \
  X(syn_ack_sent, "TCP segments with SYN and ACK")                                               \
  X(ack_sent, "TCP segments that only acknowledge")                                              \
  X(large_sent, "frames that the port was to cut into several segments (TSO)")                   \
  X(data_sent, "TCP segments with payload and no FIN")                                           \
  X(fin_sent, "TCP segments with FIN, payload or not")                                           \
  X(rst_sent, "TCP segments with RST")                                                           \
  X(payload_bytes_received, "payload bytes delivered to handlers, each once")                    \
  X(payload_bytes_sent, "payload bytes sent, each once")                                         \
  X(active_opens, "connections asked for with connect()")                                        \
  X(passive_opens, "SYNs accepted into SYN-RECEIVED")                                            \
  X(established_active, "connections of ours that reached ESTABLISHED")                          \
  X(established_passive, "connections of a listener that reached ESTABLISHED")                   \
  X(closed_finished, "connections that ended with both FINs acknowledged")                       \
  X(closed_reset, "connections ended by the peer's RST")                                         \
  X(closed_refused, "active opens answered by RST")                                              \
  X(closed_timed_out, "connections given up: R2 or the user timeout passed")                     \
  X(closed_aborted, "connections aborted by their handler or by a stop")                         \
  X(closed_unreachable, "connections ended by an ICMP error")                                    \
  X(syn_retransmitted, "SYNs sent again")                                                        \
  X(syn_ack_retransmitted, "SYN-ACKs sent again")                                                \
  X(data_retransmitted, "segments with payload sent again")                                      \
  X(fin_retransmitted, "FINs without payload sent again")                                        \
  X(fast_retransmits, "retransmissions started by duplicate ACKs")                               \
  X(retransmission_timeouts, "times a retransmission timer ran out")                             \
  X(tail_loss_probes, "probes of a tail that may be lost (RFC 8985)")                            \
  X(spurious_timeouts, "time-outs found to have been for nothing (RFC 5682, RFC 3522)")          \
  X(recoveries_undone, "window reductions taken back: nothing had been lost")                    \
  X(ecn_reductions, "window reductions asked for by congestion marks (RFC 3168)")                \
  X(fast_open_sent, "SYNs of ours with text in them (RFC 7413)")                                 \
  X(fast_open_taken, "of them: those whose text the SYN-ACK acknowledged, some of it at least")  \
  X(fast_open_accepted, "connections whose text came with the SYN (RFC 7413)")                   \
  X(fast_open_refused, "cookies that were not good, or came when too many were pending")         \
  X(path_mtu_lowered, "paths found smaller by ICMP (RFC 1191, RFC 8201)")                        \
  X(path_mtu_black_holes, "paths found smaller by silence: full segments never arrived")         \
  X(path_mtu_raised, "times a smaller path was tried at full size again")                        \
  X(zero_window_probes, "probes of a closed window")                                             \
  X(keep_alive_probes, "probes of an idle connection")                                           \
  X(out_of_order_kept, "segments kept until the gap before them closed")                         \
  X(out_of_order_dropped, "segments beyond a gap dropped: a bound was reached")   \
  X(out_of_order_given_up, "packets kept beyond a gap and dropped: buffers were scarce")          \
  X(duplicate_segments, "segments wholly received before")                                       \
  X(delayed_acks, "ACKs that waited in vain for data to ride on, or for a second segment")        \
  X(congestion_marks, "segments with text that arrived marked CE (RFC 3168)")                     \
  X(paws_rejected, "segments dropped by PAWS (RFC 7323 section 5)")                              \
  X(challenge_acks, "challenge ACKs sent (RFC 5961)")                                            \
  X(challenge_acks_limited, "challenge ACKs held back by their rate limit")                      \
  X(half_open_expired, "SYN-RECEIVED given up: the third segment never came")                    \
  X(half_open_refused, "SYNs dropped: max_half_open or its share for a listener was reached")    \
  X(syn_cookies_sent, "SYNs answered with a cookie and no record (RFC 4987)")                    \
  X(syn_cookies_received, "connections made of a SYN cookie that came back")                     \
  X(syn_cookies_failed, "ACKs to a listener that showed no good SYN cookie")                     \
  X(syn_dropped_no_packets, "SYNs dropped: packet buffers ran low")                              \
  X(text_refused_no_packets, "text dropped unread: packet buffers were scarce")                   \
  X(connections_refused, "SYNs or handshakes dropped: no connection record was free")            \
  X(ports_exhausted, "connect() calls that found no free source port")                           \
  X(time_wait_entered, "closes that entered TIME-WAIT")                                          \
  X(time_wait_kept, "TIME-WAIT records that lasted their full 2MSL")                             \
  X(time_wait_reused, "TIME-WAIT records a newer SYN was let into (RFC 9293 3.6.1, RFC 6191)")   \
  X(time_wait_cut_short, "TIME-WAIT records given up early: their table was full")               \
  X(time_wait_answered, "segments answered from TIME-WAIT")                                      \
  X(time_wait_restarted, "2MSL started again by a retransmitted FIN")                            \
  X(no_packet_buffer, "frames not sent: the packet pool was dry")              \
  X(answers_dropped, "answers dropped: the device took nothing for too long")                    \
  X(handed_to_owner, "frames passed to the worker that owns their flow")                         \
  X(taken_from_other, "frames passed to this worker by another")                                 \
  X(hand_over_full, "frames dropped: the owner's queue was full")                                \
  X(arp_requests_sent, "ARP requests sent")                                                      \
  X(arp_replies_sent, "ARP replies sent")                                                        \
  X(arp_received, "valid ARP packets received")                                                  \
  X(solicitations_sent, "Neighbour Solicitations sent")                                          \
  X(advertisements_sent, "Neighbour Advertisements sent")                                        \
  X(discovery_received, "valid Neighbour Discovery messages received")                           \
  X(router_solicitations_sent, "Router Solicitations sent")                                      \
  X(router_advertisements_received, "valid Router Advertisements that were believed")            \
  X(listener_reports_sent, "reports of our multicast groups sent (RFC 3810)")                    \
  X(listener_queries_received, "queries about our multicast groups (RFC 3810)")                  \
  X(duplicate_addresses, "IPv6 addresses given up: another host has them (RFC 4862)")            \
  X(neighbour_queue_dropped, "frames dropped while their next hop's address was unknown")        \
  X(neighbour_unreachable, "next hops that answered no ARP request or solicitation")             \
  X(no_route, "frames or opens without a route")                                                 \
  X(icmp_echo_answered, "ICMP echo requests answered")                                           \
  X(icmp_errors_received, "ICMP errors about TCP that matched a connection")                     \
  X(icmp_errors_ignored, "ICMP errors not believed or not about a connection of ours")           \
  X(icmp_errors_sent, "ICMP errors of ours about packets that were refused")                     \
  X(icmp_errors_limited, "ICMP errors of ours held back by their rate limit")                    \
  X(drop_too_short, "frames shorter than their headers need")                                    \
  X(drop_not_for_us_l2, "frames for another MAC address")                                        \
  X(drop_vlan, "frames with another VLAN tag than the interface's")                              \
  X(drop_ethertype, "frames of a protocol that is not spoken here")                              \
  X(drop_arp_malformed, "ARP packets with wrong types, lengths or addresses")                    \
  X(drop_ip_version, "IP packets whose version is not their EtherType's")                        \
  X(drop_ip_header_length, "IP headers, extension headers too, with an impossible length")       \
  X(drop_ip_total_length, "IP packets with an impossible total or payload length")              \
  X(drop_ip_checksum, "IPv4 headers with a bad checksum")                                        \
  X(drop_ip_option, "IP packets with a malformed option, or one that asks to be dropped")        \
  X(drop_ip_fragment, "IP fragments: refused, not reassembled")                                  \
  X(drop_ip_source, "IP packets from an impossible source address")                              \
  X(drop_ip_protocol, "IP packets of a protocol other than TCP and ICMP")                        \
  X(drop_not_for_us_l3, "IP packets for another address, or broadcast and multicast TCP")        \
  X(drop_icmp_malformed, "ICMP messages that are too short or have a bad checksum")              \
  X(drop_discovery_malformed, "Neighbour Discovery that RFC 4861 says is not valid")             \
  X(drop_tcp_header, "TCP headers with an impossible data offset")                               \
  X(drop_tcp_checksum, "TCP segments with a bad checksum")                                       \
  X(drop_tcp_port, "TCP segments from or to port 0")                                             \
  X(drop_tcp_flags, "TCP segments with SYN and FIN, SYN and RST, or no flag at all")             \
  X(drop_no_listener, "TCP segments to no connection and no listener (answered by RST)")
// clang-format on

struct Counters {
#define HANDFAST_COUNTER_MEMBER(name, meaning) std::uint64_t name = 0;
  HANDFAST_COUNTERS(HANDFAST_COUNTER_MEMBER)
#undef HANDFAST_COUNTER_MEMBER

  Counters& operator+=(const Counters& other) {
#define HANDFAST_COUNTER_ADD(name, meaning) name += other.name;
    HANDFAST_COUNTERS(HANDFAST_COUNTER_ADD)
#undef HANDFAST_COUNTER_ADD
    return *this;
  }
  bool operator==(const Counters&) const = default;

  // Calls visit(std::string_view name, std::string_view meaning, std::uint64_t value) for each.
  template <class Visitor>
  void for_each(Visitor&& visit) const {
#define HANDFAST_COUNTER_VISIT(name, meaning) \
  visit(std::string_view{#name}, std::string_view{meaning}, name);
    HANDFAST_COUNTERS(HANDFAST_COUNTER_VISIT)
#undef HANDFAST_COUNTER_VISIT
  }
};

}  // namespace handfast
