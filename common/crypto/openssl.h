#pragma once

// Private to common/crypto: owners for OpenSSL's objects. No other folder includes it.

#include <openssl/evp.h>

#include <memory>

namespace hy::crypto {

template <auto Free>
struct OpensslDelete {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};
using CipherCtxPtr = std::unique_ptr<EVP_CIPHER_CTX, OpensslDelete<EVP_CIPHER_CTX_free>>;
using MdCtxPtr = std::unique_ptr<EVP_MD_CTX, OpensslDelete<EVP_MD_CTX_free>>;
using MacCtxPtr = std::unique_ptr<EVP_MAC_CTX, OpensslDelete<EVP_MAC_CTX_free>>;

/// Drops what OpenSSL noted for this thread, so that an expected failure leaves no trace for the
/// next caller.
void clear_openssl_errors();

}  // namespace hy::crypto
