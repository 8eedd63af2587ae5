#include <algorithm>
#include <set>

#include "tests/contract/contract.h"

namespace hy::das::contract {

class AccountContract : public EngineContract {
 protected:
  LoginFacts begin(Uid uid, const std::string& name, const std::string& ip = {}) {
    const auto facts = writer_->accounts().begin_login({uid, name, ip});
    EXPECT_TRUE(facts.has_value()) << (facts ? "" : facts.error().detail);
    return facts.value_or(LoginFacts{});
  }
  Uid account(const std::string& name) {
    const NewAccount one{Uid{}, name, "$argon2id$" + name};
    const auto made = writer_->accounts().create({&one, 1});
    EXPECT_TRUE(made.has_value() && (*made)[0].has_value());
    return made && (*made)[0] ? *(*made)[0] : Uid{};
  }
  SignedIn sign_in(Uid uid, Slot slot, const std::string& device) {
    SignIn request;
    request.uid = uid;
    request.slot = slot;
    request.device_id = device;
    request.device_name = "a " + device;
    const auto done = writer_->accounts().sign_in(request);
    EXPECT_TRUE(done.has_value()) << (done ? "" : done.error().detail);
    return done.value_or(SignedIn{});
  }
  std::uint32_t epoch(Uid uid, Slot slot) {
    const UidSlot one{uid, slot};
    const auto values = reader_->accounts().auth_epochs({&one, 1});
    EXPECT_TRUE(values.has_value() && values->size() == 1);
    return values ? (*values)[0].value : 0;
  }
};

TEST_P(AccountContract, BulkCreationGivesEachItsOwnAnswer) {
  std::vector<NewAccount> accounts(500);
  for (std::size_t i = 0; i < accounts.size(); ++i)
    accounts[i] = {Uid{}, "user" + std::to_string(i), "$argon2id$x"};
  accounts[7].uid = Uid{1'000'007};
  accounts[8].name = "user0";
  accounts[9].name = std::string(65, 'x');
  accounts[10] = {Uid{1'000'007}, "other", ""};
  accounts[11].name = "鸿雁";
  accounts[12].name = "";
  accounts[13].name = "";
  accounts[14].uid = Uid{(1ULL << 62) + 1};
  const auto made = writer_->accounts().create(accounts);
  ASSERT_OK(made);
  ASSERT_EQ(made->size(), 500U);
  std::set<Uid> uids;
  for (std::size_t i = 0; i < 500; ++i) {
    if (i == 8 || i == 10) {
      EXPECT_CODE((*made)[i], Errc::kNameTaken);
    } else if (i == 9) {
      EXPECT_CODE((*made)[i], Errc::kNameInvalid);
    } else if (i == 14) {
      EXPECT_CODE((*made)[i], Errc::kRangeInvalid);
    } else {
      ASSERT_OK((*made)[i]);
      EXPECT_TRUE(uids.insert(*(*made)[i]).second);
    }
  }
  EXPECT_EQ(*(*made)[7], Uid{1'000'007});
  const std::vector<std::string> names{"user0", "user499", "鸿雁", "nobody", "User0"};
  const std::vector<Uid> by_uid{Uid{1'000'007}, Uid{999'999'999}, *(*made)[0]};
  const auto found = reader_->accounts().find(by_uid, names);
  ASSERT_OK(found);
  EXPECT_EQ(found->size(), 4U) << "each once; names are compared byte for byte";
}

TEST_P(AccountContract, AGivenUidIsNeverGivenAgain) {
  const NewAccount given{Uid{500}, "given", ""};
  ASSERT_OK(writer_->accounts().create({&given, 1}));
  const auto more = people(3);
  for (const Uid uid : more) EXPECT_NE(uid, Uid{500});
  const auto again = writer_->accounts().create({&given, 1});
  ASSERT_OK(again);
  EXPECT_CODE((*again)[0], Errc::kNameTaken);
}

TEST_P(AccountContract, BeginLoginGivesTheCredentialByUidOrName) {
  const Uid uid = account("alice");
  const auto by_name = begin(Uid{}, "alice");
  EXPECT_EQ(by_name.uid, uid);
  EXPECT_EQ(by_name.password_phc, "$argon2id$alice");
  EXPECT_EQ(by_name.locked.count(), 0);
  EXPECT_EQ(begin(uid, "").name, "alice");
  EXPECT_EQ(begin(Uid{}, "ALICE").uid, Uid{});
  EXPECT_EQ(begin(Uid{}, "nobody").uid, Uid{});
  EXPECT_EQ(begin(Uid{999'999}, "").uid, Uid{});
  EXPECT_EQ(begin(Uid{}, "").uid, Uid{}) << "people without a name are not found by the empty one";
}

TEST_P(AccountContract, AttemptsAreCountedBeforeTheyAreTried) {
  const Uid uid = account("bob");
  for (int i = 0; i < 10; ++i) EXPECT_EQ(begin(uid, "").locked.count(), 0) << i;
  const auto locked = begin(Uid{}, "bob");
  EXPECT_GT(locked.locked.count(), 0);
  EXPECT_LE(locked.locked.count(), 12'001);
  EXPECT_TRUE(locked.password_phc.empty()) << "no credential while locked";
  // A lost cache resets nothing: the counters are in the store.
  engine_->cache().lose_all();
  EXPECT_GT(begin(uid, "").locked.count(), 0);
  if (!store_->move_clock(Millis{12'100})) return;
  EXPECT_EQ(begin(uid, "").locked.count(), 0) << "five a minute";
  EXPECT_GT(begin(uid, "").locked.count(), 0);
}

TEST_P(AccountContract, TenFailuresInARowLockForAMinuteThenTwo) {
  const Uid uid = account("carol");
  for (int i = 0; i < 9; ++i) ASSERT_TRUE(writer_->accounts().login_failed(uid, "").has_value());
  EXPECT_EQ(begin(uid, "").locked.count(), 0);
  ASSERT_TRUE(writer_->accounts().login_failed(uid, "").has_value());
  const auto locked = begin(uid, "").locked.count();
  EXPECT_GT(locked, 50'000);
  EXPECT_LE(locked, 60'000);
  if (!store_->move_clock(Millis{61'000})) return;
  EXPECT_EQ(begin(uid, "").locked.count(), 0);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(writer_->accounts().login_failed(uid, "").has_value());
  EXPECT_GT(begin(uid, "").locked.count(), 110'000);
  sign_in(uid, Slot::kPhone, "d1");
  EXPECT_EQ(begin(uid, "").locked.count(), 0) << "a proven sign-in clears the failures";
}

TEST_P(AccountContract, AnAddressIsLimitedOverAllAccounts) {
  std::vector<NewAccount> accounts(30);
  for (std::size_t i = 0; i < accounts.size(); ++i) accounts[i].name = "n" + std::to_string(i);
  ASSERT_OK(writer_->accounts().create(accounts));
  for (int i = 0; i < 60; ++i)
    EXPECT_EQ(begin(Uid{}, i % 2 == 0 ? "n" + std::to_string(i % 30) : "unknown", "192.0.2.1")
                  .locked.count(),
              0)
        << i;
  EXPECT_GT(begin(Uid{}, "n1", "192.0.2.1").locked.count(), 0);
  EXPECT_GT(begin(Uid{}, "unknown", "192.0.2.1").locked.count(), 0);
  EXPECT_EQ(begin(Uid{}, "n1", "192.0.2.2").locked.count(), 0) << "another address is free";
}

TEST_P(AccountContract, AnotherInstallationRaisesTheEpochOfItsSlot) {
  const Uid uid = account("dave");
  EXPECT_EQ(epoch(uid, Slot::kPhone), 1U);
  auto signed_in = sign_in(uid, Slot::kPhone, "d1");
  EXPECT_EQ(signed_in.auth_epoch, 2U);
  EXPECT_FALSE(signed_in.other_installation);
  EXPECT_EQ(signed_in.name, "dave");
  signed_in = sign_in(uid, Slot::kPhone, "d1");
  EXPECT_EQ(signed_in.auth_epoch, 2U);
  signed_in = sign_in(uid, Slot::kPhone, "d2");
  EXPECT_EQ(signed_in.auth_epoch, 3U);
  EXPECT_TRUE(signed_in.other_installation);
  EXPECT_EQ(epoch(uid, Slot::kPhone), 3U);
  EXPECT_EQ(epoch(uid, Slot::kDesktop), 1U);
  signed_in = sign_in(uid, Slot::kDesktop, "d2");
  EXPECT_EQ(signed_in.auth_epoch, 2U);
  EXPECT_EQ(epoch(Uid{999'999}, Slot::kPhone), 0U);
  SignIn nobody;
  nobody.uid = Uid{999'999};
  nobody.slot = Slot::kPhone;
  nobody.device_id = "x";
  EXPECT_CODE(writer_->accounts().sign_in(nobody), Errc::kUnknownUser);
}

TEST_P(AccountContract, TwoInstallationsAtOnceGetDifferentEpochs) {
  const Uid uid = account("erin");
  auto other = new_writer();
  std::set<std::uint32_t> seen;
  for (int i = 0; i < 10; ++i) {
    SignIn request;
    request.uid = uid;
    request.slot = Slot::kPhone;
    request.device_id = "d" + std::to_string(i);
    const auto done = (i % 2 == 0 ? *writer_ : *other).accounts().sign_in(request);
    ASSERT_OK(done);
    EXPECT_TRUE(seen.insert(done->auth_epoch).second);
  }
}

TEST_P(AccountContract, SignInMayReplaceTheCredential) {
  const Uid uid = account("frank");
  SignIn request;
  request.uid = uid;
  request.slot = Slot::kPhone;
  request.device_id = "d";
  request.password_phc = "$argon2id$new";
  ASSERT_OK(writer_->accounts().sign_in(request));
  EXPECT_EQ(begin(uid, "").password_phc, "$argon2id$new");
}

TEST_P(AccountContract, RevokeRaisesOneSlotOrAll) {
  const Uid uid = account("grace");
  sign_in(uid, Slot::kPhone, "d1");
  sign_in(uid, Slot::kPad, "d2");
  ASSERT_TRUE(writer_->accounts().revoke(uid, Slot::kPhone).has_value());
  EXPECT_EQ(epoch(uid, Slot::kPhone), 3U);
  EXPECT_EQ(epoch(uid, Slot::kPad), 2U);
  ASSERT_TRUE(writer_->accounts().revoke(uid, std::nullopt).has_value());
  EXPECT_EQ(epoch(uid, Slot::kPhone), 4U);
  EXPECT_EQ(epoch(uid, Slot::kPad), 3U);
  EXPECT_EQ(epoch(uid, Slot::kWeb), 2U) << "also where nobody had signed in";
  const auto back = sign_in(uid, Slot::kPhone, "d1");
  EXPECT_EQ(back.auth_epoch, 5U) << "the revoked installation signs in anew";
  EXPECT_CODE(writer_->accounts().revoke(Uid{999'999}, std::nullopt), Errc::kUnknownUser);
}

INSTANTIATE_TEST_SUITE_P(Engines, AccountContract, testing::ValuesIn(stores()), store_name);

}  // namespace hy::das::contract
