#include "tests/peers/load/xmpp_swarm.h"

#include <arpa/inet.h>
#include <expat.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "tests/peers/load/meter.h"

namespace hy::peers {
namespace {

constexpr std::string_view kOpenStream =
    "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client' "
    "xmlns:stream='http://etherx.jabber.org/streams'>";
constexpr std::string_view kBind =
    "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
    "<resource>r</resource></bind></iq>";
constexpr std::string_view kSessionAndPresence =
    "<iq type='set' id='s'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>"
    "<presence/>";

std::string base64(std::string_view text) {
  std::string out((text.size() + 2) / 3 * 4 + 1, '\0');
  const int n = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                reinterpret_cast<const unsigned char*>(text.data()),
                                static_cast<int>(text.size()));
  out.resize(static_cast<std::size_t>(n));
  return out;
}

struct FreeParser {
  void operator()(XML_Parser parser) const { XML_ParserFree(parser); }
};

enum class State { kFeatures, kAuth, kFeaturesAgain, kBinding, kPresence, kReady, kEnded };

}  // namespace

struct XmppSwarm::Client {
  XmppSwarm* swarm = nullptr;
  std::size_t index = 0;
  int fd = -1;
  std::unique_ptr<XML_ParserStruct, FreeParser> parser;
  State state = State::kFeatures;
  int depth = 0;
  bool in_body = false;
  bool restart = false;  ///< a new XML document begins with the next byte
  bool dirty = false;
  bool watches_write = false;
  std::string stanza;  ///< name of the element at depth 2
  std::string type;    ///< its type attribute
  std::string body;
  std::string out;
  std::string head;  ///< of every message to the peer

  ~Client() {
    if (fd >= 0) ::close(fd);
  }
};

struct XmppSwarm::Handlers {
  static void start(void* data, const XML_Char* name, const XML_Char** attributes) {
    auto& c = *static_cast<Client*>(data);
    ++c.depth;
    if (c.depth == 2) {
      c.stanza = name;
      c.body.clear();
      c.type.clear();
      for (; *attributes != nullptr; attributes += 2) {
        if (std::string_view(attributes[0]) == "type") c.type = attributes[1];
      }
    }
    c.in_body = c.depth == 3 && std::string_view(name) == "body";
  }
  static void text(void* data, const XML_Char* text, int length) {
    auto& c = *static_cast<Client*>(data);
    if (c.in_body) c.body.append(text, static_cast<std::size_t>(length));
  }
  static void finish(void* data, const XML_Char*) {
    auto& c = *static_cast<Client*>(data);
    c.in_body = false;
    if (c.depth-- == 2) c.swarm->on_stanza(c);
  }
  static void attach(Client& c) {
    XML_SetUserData(c.parser.get(), &c);
    XML_SetElementHandler(c.parser.get(), &start, &finish);
    XML_SetCharacterDataHandler(c.parser.get(), &text);
    c.depth = 0;
  }
};

XmppSwarm::XmppSwarm(Meter& meter, int port, std::size_t first_client)
    : meter_(meter),
      port_(port),
      first_client_(first_client),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      buffer_(64 * 1'024, '\0'),
      clients_(meter.settings().connections) {}

XmppSwarm::~XmppSwarm() {
  ::close(epoll_);
}

void XmppSwarm::begin_login(std::size_t index) {
  auto client = std::make_unique<Client>();
  client->swarm = this;
  client->index = index;
  client->fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port_));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(client->fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    meter_.failed(index, "connect");
    return;
  }
  const int one = 1;
  ::setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  ::fcntl(client->fd, F_SETFL, O_NONBLOCK);
  client->parser.reset(XML_ParserCreate("UTF-8"));
  Handlers::attach(*client);
  client->head = "<message type='chat' to='u" + std::to_string(first_client_ + (index ^ 1U)) +
                 "@localhost/r' id='";
  epoll_event event{.events = EPOLLIN, .data = {.ptr = client.get()}};
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, client->fd, &event);
  clients_[index] = std::move(client);
  queue(*clients_[index], kOpenStream);
}

void XmppSwarm::send(std::size_t index, std::string_view body) {
  Client& client = *clients_[index];
  queue(client, client.head);
  client.out.append(body.substr(8, 8));  // the message's number
  client.out.append("'><body>").append(body).append("</body></message>");
}

void XmppSwarm::queue(Client& client, std::string_view text) {
  client.out.append(text);
  if (client.dirty) return;
  client.dirty = true;
  dirty_.push_back(&client);
}

void XmppSwarm::flush(Client& client) {
  client.dirty = false;
  const ssize_t n = ::send(client.fd, client.out.data(), client.out.size(), MSG_NOSIGNAL);
  if (n > 0) client.out.erase(0, static_cast<std::size_t>(n));
  if (n < 0 && errno != EAGAIN) {
    end(client, "send");
    return;
  }
  const bool wants = !client.out.empty();
  if (wants == client.watches_write) return;
  client.watches_write = wants;
  epoll_event event{.events = EPOLLIN | (wants ? std::uint32_t{EPOLLOUT} : 0U),
                    .data = {.ptr = &client}};
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, client.fd, &event);
}

void XmppSwarm::end(Client& client, std::string_view why) {
  if (client.state == State::kEnded) return;
  client.state = State::kEnded;
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, client.fd, nullptr);
  meter_.failed(client.index, why);
}

void XmppSwarm::on_stanza(Client& client) {
  if (client.stanza == "message" && client.state == State::kReady) {
    if (client.type == "error") {
      end(client, "a message came back as an error");
    } else if (!client.body.empty()) {
      meter_.received(client.index, client.body);
    }
    return;
  }
  if (client.stanza == "stream:error" || client.stanza == "failure" || client.type == "error") {
    end(client, "refused: " + client.stanza);
  } else if (client.stanza == "stream:features" && client.state == State::kFeatures) {
    client.state = State::kAuth;
    const std::string name = "u" + std::to_string(first_client_ + client.index);
    queue(client, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" +
                      base64(std::string(1, '\0') + name + std::string(1, '\0') + "pw") +
                      "</auth>");
  } else if (client.stanza == "success") {
    client.state = State::kFeaturesAgain;
    client.restart = true;
    queue(client, kOpenStream);
  } else if (client.stanza == "stream:features" && client.state == State::kFeaturesAgain) {
    client.state = State::kBinding;
    queue(client, kBind);
  } else if (client.stanza == "iq" && client.state == State::kBinding) {
    client.state = State::kPresence;
    queue(client, kSessionAndPresence);
  } else if (client.stanza == "presence" && client.state == State::kPresence) {
    client.state = State::kReady;  // the server echoes a client's presence to itself
    meter_.ready(client.index);
  }
}

void XmppSwarm::on_readable(Client& client) {
  const ssize_t n = ::recv(client.fd, buffer_.data(), buffer_.size(), 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) {
    end(client, "closed by the server");
    return;
  }
  if (XML_Parse(client.parser.get(), buffer_.data(), static_cast<int>(n), 0) != XML_STATUS_OK) {
    end(client, XML_ErrorString(XML_GetErrorCode(client.parser.get())));
  }
  if (client.restart) {
    client.restart = false;
    XML_ParserReset(client.parser.get(), "UTF-8");
    Handlers::attach(client);
  }
}

void XmppSwarm::turn(std::chrono::milliseconds at_most) {
  const auto flush_all = [this] {
    for (std::size_t i = 0; i < dirty_.size(); ++i) flush(*dirty_[i]);
    dirty_.clear();
  };
  flush_all();
  if (ready_ < load::Loop::kEventsAtOnce) pacer_.pace();
  std::array<epoll_event, 512> events;
  const int n = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()),
                             static_cast<int>(at_most.count()));
  ready_ = static_cast<std::size_t>(std::max(n, 0));
  for (int i = 0; i < n; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    auto& client = *static_cast<Client*>(event.data.ptr);
    if ((event.events & EPOLLOUT) != 0) queue(client, {});
    if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) on_readable(client);
  }
  flush_all();
}

}  // namespace hy::peers
