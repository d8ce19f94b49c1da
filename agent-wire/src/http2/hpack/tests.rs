use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn fields(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn known(decoder: &mut Decoder, block: &str) -> Vec<(String, String)> {
    let section = decoder.decode(&hex(block), 1 << 16);
    assert_eq!((section.unknown, section.broken, section.too_long), (0, false, false), "{section:?}");
    section.fields
}

/// What the dynamic table holds, newest first.
fn table(decoder: &Decoder) -> Vec<(String, String)> {
    (62..62 + decoder.0.len())
        .map(|index| decoder.0.get(index).map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap())
        .collect()
}

#[test]
fn literals_of_appendix_c_2() {
    let mut decoder = Decoder::new();
    let custom = fields(&[("custom-key", "custom-header")]);
    assert_eq!(
        known(&mut decoder, "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572"),
        custom
    );
    assert_eq!((table(&decoder), decoder.0.size()), (custom, 55));
    let mut decoder = Decoder::new();
    assert_eq!(
        known(&mut decoder, "040c 2f73 616d 706c 652f 7061 7468"),
        fields(&[(":path", "/sample/path")])
    );
    assert_eq!(
        known(&mut decoder, "1008 7061 7373 776f 7264 0673 6563 7265 74"),
        fields(&[("password", "secret")])
    );
    assert_eq!(known(&mut decoder, "82"), fields(&[(":method", "GET")]));
    assert_eq!(decoder.0.len(), 0, "neither unindexed nor never-indexed literals are kept");
}

#[test]
fn requests_of_appendices_c_3_and_c_4() {
    let first = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")];
    let second = [&first[..], &[("cache-control", "no-cache")]].concat();
    let third = [
        (":method", "GET"),
        (":scheme", "https"),
        (":path", "/index.html"),
        (":authority", "www.example.com"),
        ("custom-key", "custom-value"),
    ];
    let plain = [
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ];
    let coded = [
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ];
    for blocks in [plain, coded] {
        let mut decoder = Decoder::new();
        assert_eq!(known(&mut decoder, blocks[0]), fields(&first));
        assert_eq!(known(&mut decoder, blocks[1]), fields(&second));
        assert_eq!(known(&mut decoder, blocks[2]), fields(&third));
        let left = [
            ("custom-key", "custom-value"),
            ("cache-control", "no-cache"),
            (":authority", "www.example.com"),
        ];
        assert_eq!((table(&decoder), decoder.0.size()), (fields(&left), 164));
    }
}

#[test]
fn responses_of_appendices_c_5_and_c_6() {
    let (date, later) = ("Mon, 21 Oct 2013 20:13:21 GMT", "Mon, 21 Oct 2013 20:13:22 GMT");
    let place = ("location", "https://www.example.com");
    let cookie = ("set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1");
    let plain = [
        "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e
         1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "4803 3330 37c1 c0bf",
        "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d
         4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572
         7369 6f6e 3d31",
    ];
    let coded = [
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b
         97c8 e9ae 82ae 43d3",
        "4883 640e ffc1 c0bf",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf
         cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
    ];
    for blocks in [plain, coded] {
        let mut decoder = Decoder::new();
        decoder.0.resize(256);
        assert_eq!(
            known(&mut decoder, blocks[0]),
            fields(&[(":status", "302"), ("cache-control", "private"), ("date", date), place])
        );
        assert_eq!(decoder.0.size(), 222);
        assert_eq!(
            known(&mut decoder, blocks[1]),
            fields(&[(":status", "307"), ("cache-control", "private"), ("date", date), place])
        );
        let private = ("cache-control", "private");
        assert_eq!(table(&decoder), fields(&[(":status", "307"), place, ("date", date), private]));
        assert_eq!(
            known(&mut decoder, blocks[2]),
            fields(&[
                (":status", "200"),
                private,
                ("date", later),
                place,
                ("content-encoding", "gzip"),
                cookie
            ])
        );
        assert_eq!(table(&decoder), fields(&[cookie, ("content-encoding", "gzip"), ("date", later)]));
        assert_eq!(decoder.0.size(), 215);
    }
}

#[test]
fn sizes_change_the_table() {
    let mut decoder = Decoder::new();
    known(&mut decoder, "4001 6101 62 4001 6301 64");
    assert_eq!(decoder.0.len(), 2);
    known(&mut decoder, "3f03 82"); // 34: room for one
    assert_eq!(table(&decoder), fields(&[("c", "d")]));
    known(&mut decoder, "20 3fe1 1f 82"); // 0, then 4096
    assert_eq!(decoder.0.len(), 0);
    known(&mut decoder, "4001 6101 62");
    assert_eq!(known(&mut decoder, "be"), fields(&[("a", "b")]));
    // A size that nobody has: no more than a bound is kept.
    let many = [hex("3fffffffff0f"), [hex("4000 7f 8101"), vec![b'x'; 256]].concat().repeat(1_000)].concat();
    decoder.decode(&many, 1 << 30);
    assert!(decoder.0.size() <= 64 << 10, "{}", decoder.0.size());
    // An entry larger than the table empties it.
    known(&mut decoder, "3f03 4001 6101 62");
    assert_eq!(decoder.0.len(), 1);
    known(&mut decoder, "4001 6104 6262 6262");
    assert_eq!(decoder.0.len(), 0);
}

#[test]
fn what_was_added_before_is_unknown_and_what_is_added_later_is_known() {
    let mut decoder = Decoder::joined();
    // :method POST, something added earlier, a new name, a literal under an earlier name that is kept.
    let section = decoder.decode(&hex("83 c5 4001 6101 62 7f0c 01 7a"), 1 << 16);
    assert_eq!(section.fields, fields(&[(":method", "POST"), ("a", "b")]));
    assert_eq!((section.unknown, section.broken), (2, false));
    // 62 is the entry under the unknown name, 63 is a: b, 64 is older.
    let section = decoder.decode(&hex("be bf c0"), 1 << 16);
    assert_eq!((section.fields, section.unknown), (fields(&[("a", "b")]), 2));
    decoder.distrust();
    let section = decoder.decode(&hex("bf 86"), 1 << 16);
    assert_eq!((section.fields, section.unknown), (fields(&[(":scheme", "http")]), 1));
}

#[test]
fn a_broken_block_gives_its_beginning_and_ends_the_trust() {
    for block in ["82 80", "82 40", "82 4001", "82 0f", "82 4081 ff 00", "82 ff ff ff ff ff ff 7f"] {
        let mut decoder = Decoder::new();
        known(&mut decoder, "4001 6101 62");
        let section = decoder.decode(&hex(block), 1 << 16);
        assert!(section.broken, "{block}");
        assert_eq!(section.fields, fields(&[(":method", "GET")]), "{block}");
        assert_eq!(decoder.decode(&hex("be"), 1 << 16).unknown, 1, "{block}");
    }
}

#[test]
fn the_fields_are_bounded_and_the_table_is_kept_right() {
    let mut decoder = Decoder::new();
    // A value of 1000 bytes, then 60 references to it: 60 bytes that say 60 000.
    let block = [hex("4001 61 7fe906"), vec![b'x'; 1000], vec![0xbe; 60], hex("4001 6301 64")].concat();
    let section = decoder.decode(&block, 5000);
    assert!(section.too_long && !section.broken);
    assert_eq!(section.fields.len(), 4);
    assert_eq!(known(&mut decoder, "be"), fields(&[("c", "d")]));
}
