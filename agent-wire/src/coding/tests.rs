//! Every coding: whole, cut anywhere, flushed per event, broken, not there at all.

use std::io::Write;

use super::*;

/// Three events; what Node.js 20 (zlib) wrote for each of them with a flush behind it, and for the end.
const EVENTS: [&str; 3] = ["data: {\"a\":1}\n\n", "event: x\ndata: {\"b\":2}\n\n", "data: [DONE]\n\n"];
const BROTLI: [&str; 4] = [
    "0b0780646174613a207b2261223a317d0a0a",
    "b800086576656e743a20780a646174613a207b2262223a327d0a0a",
    "6800805f5261ab2b09514493126025ea831f03",
    "03",
];
const GZIP: [&str; 4] = [
    "1f8b08000000000000034a492c49b452a8564a54b232ace5e202000000ffff",
    "4a2d4bcd2bb152a8e04a492c49b452a8564a52b232aae5e202000000ffff",
    "4a492c49b4528876f1f7738de5e202000000ffff",
    "030046438ba535000000",
];
const DEFLATE: [&str; 4] = [
    "789c4a492c49b452a8564a54b232ace5e202000000ffff",
    "4a2d4bcd2bb152a8e04a492c49b452a8564a52b232aae5e202000000ffff",
    "4a492c49b4528876f1f7738de5e202000000ffff",
    "0300a89e0f07",
];
/// 58,000 bytes of repeated JSON.
const BROTLI_LONG: &str = "1b8fe2e81d09764ce237144f0c6519da5ee9f4b50808dbdb94049fcff24084c56a647b6ed106b001";

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
}

fn chain(codings: &[&str], limit: u64) -> Result<Chain, Stop> {
    Chain::new(&codings.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), limit)
}

/// What comes out, and how it ends.
fn decode(codings: &[&str], pieces: &[&[u8]]) -> (Vec<u8>, Result<(), Stop>) {
    let mut chain = chain(codings, 1 << 20).unwrap();
    let mut all = Vec::new();
    for piece in pieces {
        let result = chain.write(piece, &mut |decoded| {
            all.extend_from_slice(decoded);
            Ok(())
        });
        if result.is_err() {
            return (all, result);
        }
    }
    let result = chain.finish(&mut |decoded| {
        all.extend_from_slice(decoded);
        Ok(())
    });
    (all, result)
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn raw(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zstd(data: &[u8]) -> Vec<u8> {
    ::zstd::bulk::compress(data, 3).unwrap()
}

/// Uncompressed meta-blocks (RFC 7932 section 9.2), window of 64 KiB.
fn brotli(data: &[u8]) -> Vec<u8> {
    // WBITS 16 is one 0 bit. ISLAST 0, MNIBBLES 4, MLEN - 1, ISUNCOMPRESSED 1.
    let mut coded = Vec::new();
    for (number, block) in data.chunks(60_000).enumerate() {
        let header = (u32::try_from(block.len()).unwrap() - 1) << 3 | 1 << 19;
        let header = if number == 0 { header << 1 } else { header };
        let bytes = header.to_le_bytes();
        coded.extend_from_slice(&bytes[..3]);
        coded.extend_from_slice(block);
    }
    coded.push(if data.is_empty() { 6 } else { 3 });
    coded
}

fn body() -> Vec<u8> {
    (0..40_000_u32).flat_map(|n| [(n / 7).to_le_bytes()[0], b'{', (n * n).to_le_bytes()[0]]).collect()
}

#[test]
fn every_coding_decodes_wherever_it_is_cut() {
    for size in [1, 100, 120_000] {
        let body = &body()[..size];
        for (name, coded) in [
            ("gzip", gzip(body)),
            ("x-gzip", gzip(body)),
            ("deflate", zlib(body)),
            ("deflate", raw(body)),
            ("br", brotli(body)),
            ("zstd", zstd(body)),
        ] {
            assert_eq!(decode(&[name], &[&coded]), (body.to_vec(), Ok(())), "{name} of {size}");
            for pieces in [1, 7, 1000] {
                let pieces: Vec<&[u8]> = coded.chunks(pieces).collect();
                assert_eq!(decode(&[name], &pieces), (body.to_vec(), Ok(())), "{name} of {size}");
            }
        }
    }
    let long = decode(&["br"], &[&hex(BROTLI_LONG)]);
    assert_eq!(long, ("{\"text\":\"hello hello hello\"} ".repeat(2000).into_bytes(), Ok(())));
    for name in ["gzip", "deflate", "br", "zstd"] {
        assert_eq!(decode(&[name], &[]), (Vec::new(), Ok(())));
    }
}

#[test]
fn codings_on_top_of_each_other() {
    let coded = zstd(&brotli(&gzip(b"hello")));
    assert_eq!(decode(&["gzip", "br", "zstd"], &[&coded]), (b"hello".to_vec(), Ok(())));
    let bytes: Vec<&[u8]> = coded.chunks(1).collect();
    assert_eq!(decode(&["gzip", "br", "zstd"], &bytes), (b"hello".to_vec(), Ok(())));
    assert_eq!(chain(&["gzip"; 5], 1).err(), Some(Stop::TooDeep(5)));
    assert_eq!(chain(&["gzip", "lzma"], 1).err(), Some(Stop::Unknown("lzma".to_owned())));
}

#[test]
fn what_was_flushed_comes_out_at_once() {
    let raw: Vec<String> = DEFLATE.iter().map(|piece| piece.trim_start_matches("789c").to_owned()).collect();
    let raw = [raw[0].as_str(), raw[1].as_str(), raw[2].as_str(), "0300"];
    let mut zstd = ::zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    let mut flushed = Vec::new();
    for event in EVENTS {
        zstd.write_all(event.as_bytes()).unwrap();
        zstd.flush().unwrap();
        flushed.push(std::mem::take(zstd.get_mut()));
    }
    flushed.push(zstd.finish().unwrap());
    let cases: [(&str, Vec<Vec<u8>>); 5] = [
        ("br", BROTLI.map(hex).to_vec()),
        ("gzip", GZIP.map(hex).to_vec()),
        ("deflate", DEFLATE.map(hex).to_vec()),
        ("deflate", raw.map(hex).to_vec()),
        ("zstd", flushed),
    ];
    for (name, pieces) in cases {
        let mut chain = chain(&[name], 1000).unwrap();
        for (piece, event) in pieces.iter().zip(EVENTS) {
            let mut decoded = Vec::new();
            chain
                .write(piece, &mut |bytes| {
                    decoded.extend_from_slice(bytes);
                    Ok(())
                })
                .unwrap();
            assert_eq!(String::from_utf8(decoded).unwrap(), event, "{name}");
        }
        assert!(chain.held_bytes() > 0);
        chain.write(&pieces[3], &mut |_| panic!("nothing is left")).unwrap();
        chain.finish(&mut |_| panic!("nothing is left")).unwrap();
    }
}

#[test]
fn gzip_members_follow_each_other_and_headers_may_be_full() {
    let two = [gzip(b"hello "), gzip(b"world"), vec![0; 9]].concat();
    assert_eq!(decode(&["gzip"], &[&two]), (b"hello world".to_vec(), Ok(())));
    let builder = flate2::GzBuilder::new().filename("n").comment("c").extra(vec![7; 300]);
    let mut encoder = builder.write(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"full").unwrap();
    let full = encoder.finish().unwrap();
    let bytes: Vec<&[u8]> = full.chunks(1).collect();
    assert_eq!(decode(&["gzip"], &bytes), (b"full".to_vec(), Ok(())));
    // FHCRC is set by no encoder at hand: put in by hand behind the fixed bytes.
    let mut checked = gzip(b"checked");
    checked[3] |= 2;
    checked.splice(10..10, [1, 2]);
    assert_eq!(decode(&["gzip"], &[&checked]), (b"checked".to_vec(), Ok(())));
}

#[test]
fn broken_bytes_keep_what_came_before() {
    let body = body();
    for (name, coded) in
        [("gzip", gzip(&body)), ("deflate", zlib(&body)), ("zstd", zstd(&body)), ("br", brotli(&body))]
    {
        let (decoded, result) = decode(&[name], &[&coded[..coded.len() - 5]]);
        assert_eq!(result, Err(Stop::Unfinished(Kind::from_name(name).unwrap().name())));
        // Zstd hands on whole blocks, and this body is one.
        assert!((name == "zstd" || !decoded.is_empty()) && body.starts_with(&decoded), "{name}");
        let mut broken = coded.clone();
        let middle = coded.len() / 2;
        broken[middle..].fill(0xff);
        let (decoded, result) = decode(&[name], &[&broken]);
        assert!(matches!(result, Err(Stop::Broken { .. } | Stop::Unfinished(_))), "{name}: {result:?}");
        assert!(decoded.len() <= 2 * body.len(), "{name}");
        if matches!(name, "gzip" | "deflate") {
            let bytes: Vec<&[u8]> = broken.chunks(1).collect();
            assert_eq!(decode(&[name], &bytes), (decoded, result), "{name}");
        }
    }
    let mut wrong = gzip(b"hello");
    let at = wrong.len() - 8;
    wrong[at] ^= 1;
    let (decoded, result) = decode(&["gzip"], &[&wrong]);
    assert_eq!(decoded, b"hello");
    let text = result.unwrap_err().to_string();
    assert!(text.contains("gzip") && text.contains("checksum"), "{text}");
    let extra = [gzip(b"a"), b"junk after".to_vec()].concat();
    assert!(matches!(decode(&["gzip"], &[&extra]), (decoded, Err(Stop::Broken { .. })) if decoded == b"a"));
    assert!(
        matches!(decode(&["br"], &[&[brotli(b"a"), vec![1]].concat()]), (decoded, Err(_)) if decoded == b"a")
    );
    assert!(
        matches!(decode(&["deflate"], &[&[zlib(b"a"), vec![1]].concat()]), (decoded, Err(_)) if decoded == b"a")
    );
}

#[test]
fn bodies_without_the_coding_of_their_header_go_through() {
    for text in [
        "{\"model\":\"m\"}",
        "{}",
        "[1, 2, 3]",
        "[{\"a\":[1,2,3,{\"b\":\"a longer text that is no compressed stream\"}]}]",
        "data: {\"a\":1}\n\n",
        "event: ping\ndata: {}\n\n",
        "<!DOCTYPE html><html></html>",
        "<html><body>Bad gateway</body></html>",
    ] {
        for name in ["gzip", "deflate", "br", "zstd"] {
            for size in [1, 3, 1000] {
                let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
                assert_eq!(decode(&[name], &pieces), (text.as_bytes().to_vec(), Ok(())), "{name} in {size}");
            }
        }
    }
    for short in ["P", "x", "\x1f", "("] {
        assert_eq!(decode(&["gzip"], &[short.as_bytes()]).0, short.as_bytes());
        assert_eq!(decode(&["zstd"], &[short.as_bytes()]).0, short.as_bytes());
    }
    // Plain under one of two codings.
    assert_eq!(decode(&["gzip", "br"], &[&brotli(b"{\"a\":1}")]), (b"{\"a\":1}".to_vec(), Ok(())));
}

#[test]
fn bombs_are_cut() {
    let zeros = vec![0; 4 << 20];
    for (name, coded) in
        [("gzip", gzip(&zeros)), ("deflate", zlib(&zeros)), ("zstd", zstd(&zeros)), ("br", brotli(&zeros))]
    {
        let mut decoded = 0;
        let result = chain(&[name], 100_000).unwrap().write(&coded, &mut |bytes| {
            decoded += bytes.len();
            Ok(())
        });
        assert_eq!((decoded, result), (100_000, Err(Stop::TooMuch(100_000))), "{name}");
    }
    // A frame that asks for a window of 128 MiB: refused by RFC 9659.
    let mut encoder = ::zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    encoder.set_parameter(::zstd::stream::raw::CParameter::WindowLog(27)).unwrap();
    encoder.write_all(&zeros).unwrap();
    assert!(matches!(decode(&["zstd"], &[&encoder.finish().unwrap()]).1, Err(Stop::Broken { .. })));
}

#[test]
fn the_receiver_can_stop_it() {
    let result = chain(&["gzip"], 100).unwrap().write(&gzip(b"hello"), &mut |_| Err(Stop::Unwanted));
    assert_eq!(result, Err(Stop::Unwanted));
}

proptest::proptest! {
    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..2000), coding in 0..4_usize, split in 0..2000_usize) {
        let name = ["gzip", "deflate", "br", "zstd"][coding];
        let cut = split.min(bytes.len());
        let whole = decode(&[name], &[&bytes]);
        let parts = decode(&[name], &[&bytes[..cut], &bytes[cut..]]);
        proptest::prop_assert_eq!(whole.1.is_ok(), parts.1.is_ok());
        if whole.1.is_err() && matches!(name, "br" | "zstd") {
            // These decoders give nothing of the piece with the fault, so that a cut may save what stood before it; it is never different.
            let same = whole.0.starts_with(&parts.0) || parts.0.starts_with(&whole.0);
            proptest::prop_assert!(same, "{:?} {:?}", whole.0, parts.0);
        } else {
            proptest::prop_assert_eq!(&whole.0, &parts.0);
        }
    }

    #[test]
    fn every_body_comes_back(body in proptest::collection::vec(proptest::prelude::any::<u8>(), 1..3000), split in 0..3000_usize) {
        // A raw deflate stream of binary data may look like JSON at its beginning.
        let body = [b"t".to_vec(), body].concat();
        for (name, coded) in [("gzip", gzip(&body)), ("deflate", zlib(&body)), ("deflate", raw(&body)), ("br", brotli(&body)), ("zstd", zstd(&body))] {
            let cut = split.min(coded.len());
            proptest::prop_assert_eq!(decode(&[name], &[&coded[..cut], &coded[cut..]]), (body.clone(), Ok(())), "{}", name);
        }
    }
}
