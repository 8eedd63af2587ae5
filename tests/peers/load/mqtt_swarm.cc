#include "tests/peers/load/mqtt_swarm.h"

#include <mosquitto.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "tests/peers/load/meter.h"

namespace hy::peers {

struct MqttSwarm::Client {
  MqttSwarm* swarm = nullptr;
  std::size_t index = 0;
  std::unique_ptr<mosquitto, Free> session;
  std::string own_topic;
  std::string peer_topic;
  int fd = -1;
  bool watches_write = false;
};

void MqttSwarm::Free::operator()(mosquitto* m) const {
  mosquitto_destroy(m);
}

MqttSwarm::MqttSwarm(Meter& meter, int port, std::size_t first_client)
    : meter_(meter),
      port_(port),
      first_client_(first_client),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      clients_(meter.settings().connections) {
  mosquitto_lib_init();
}

MqttSwarm::~MqttSwarm() {
  clients_.clear();
  ::close(epoll_);
  mosquitto_lib_cleanup();
}

/// A session without the library's pair of wake-up sockets, which only its own threads need: two
/// descriptors a client, and a write into them with every packet. It goes on without when it cannot
/// have them.
mosquitto* MqttSwarm::new_session(const std::string& id, Client& client) {
  rlimit usual{};
  getrlimit(RLIMIT_NOFILE, &usual);
  rlimit none = usual;
  none.rlim_cur = 0;
  setrlimit(RLIMIT_NOFILE, &none);
  mosquitto* const session = mosquitto_new(id.c_str(), true, &client);
  setrlimit(RLIMIT_NOFILE, &usual);
  return session;
}

void MqttSwarm::begin_login(std::size_t index) {
  auto client = std::make_unique<Client>();
  client->swarm = this;
  client->index = index;
  const bool is_group = meter_.settings().is_group;
  client->own_topic = is_group ? "g" : "c/" + std::to_string(first_client_ + index);
  client->peer_topic = is_group ? "g" : "c/" + std::to_string(first_client_ + (index ^ 1U));
  const std::string id = "load-" + std::to_string(first_client_ + index);
  client->session.reset(new_session(id, *client));
  mosquitto* const m = client->session.get();
  if (m == nullptr) {
    meter_.failed(index, "mosquitto_new");
    return;
  }
  mosquitto_connect_callback_set(m, [](mosquitto* session, void* data, int code) {
    auto& c = *static_cast<Client*>(data);
    if (code != 0) c.swarm->meter_.failed(c.index, mosquitto_connack_string(code));
    mosquitto_subscribe(session, nullptr, c.own_topic.c_str(), 1);
  });
  mosquitto_subscribe_callback_set(m, [](mosquitto*, void* data, int, int, const int*) {
    const auto& c = *static_cast<Client*>(data);
    c.swarm->meter_.ready(c.index);
  });
  mosquitto_message_callback_set(m, [](mosquitto*, void* data, const mosquitto_message* message) {
    const auto& c = *static_cast<Client*>(data);
    c.swarm->meter_.received(c.index, {static_cast<const char*>(message->payload),
                                       static_cast<std::size_t>(message->payloadlen)});
  });
  constexpr int kNoKeepalive = 0;
  if (const int code = mosquitto_connect(m, "127.0.0.1", port_, kNoKeepalive);
      code != MOSQ_ERR_SUCCESS) {
    meter_.failed(index, mosquitto_strerror(code));
    return;
  }
  client->fd = mosquitto_socket(m);
  epoll_event event{.events = EPOLLIN, .data = {.ptr = client.get()}};
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, client->fd, &event);
  io_.add(client->fd);
  by_fd_.resize(std::max(by_fd_.size(), static_cast<std::size_t>(client->fd) + 1));
  by_fd_[static_cast<std::size_t>(client->fd)] = client.get();
  clients_[index] = std::move(client);
}

void MqttSwarm::send(std::size_t index, std::string_view body) {
  Client& client = *clients_[index];
  constexpr int kAtLeastOnce = 1;
  mosquitto_publish(client.session.get(), nullptr, client.peer_topic.c_str(),
                    static_cast<int>(body.size()), body.data(), kAtLeastOnce, false);
}

void MqttSwarm::watch(Client& client, bool write) {
  if (write == client.watches_write) return;
  client.watches_write = write;
  epoll_event event{.events = EPOLLIN | (write ? std::uint32_t{EPOLLOUT} : 0U),
                    .data = {.ptr = &client}};
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, client.fd, &event);
}

void MqttSwarm::on_readable(Client& client) {
  io_.receive(client.fd);
  while (io_.has_input()) {
    const int code = mosquitto_loop_read(client.session.get(), 1);
    if (code == MOSQ_ERR_SUCCESS) continue;
    ::epoll_ctl(epoll_, EPOLL_CTL_DEL, client.fd, nullptr);
    meter_.failed(client.index, mosquitto_strerror(code));
    return;
  }
  // Packets made inside a callback wait for this call.
  if (mosquitto_want_write(client.session.get())) mosquitto_loop_write(client.session.get(), 1);
}

void MqttSwarm::send_all() {
  io_.send_all([this](int fd) { watch(*by_fd_[static_cast<std::size_t>(fd)], true); });
}

void MqttSwarm::turn(std::chrono::milliseconds at_most) {
  send_all();
  if (ready_ < load::Loop::kEventsAtOnce) pacer_.pace();
  std::array<epoll_event, 512> events;
  const int n = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()),
                             static_cast<int>(at_most.count()));
  ready_ = static_cast<std::size_t>(std::max(n, 0));
  for (int i = 0; i < n; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    auto& client = *static_cast<Client*>(event.data.ptr);
    if ((event.events & EPOLLOUT) != 0 && io_.send(client.fd)) watch(client, false);
    if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) on_readable(client);
  }
  send_all();
}

}  // namespace hy::peers
