use super::*;

type Elements = Vec<(String, bool)>;

fn take(elements: &mut Elements) -> impl FnMut(Body<'_>) -> ControlFlow<()> {
    |body: Body<'_>| {
        let Body::Element { data, truncated } = body else { panic!("no element: {body:?}") };
        elements.push((String::from_utf8_lossy(data).into_owned(), truncated));
        ControlFlow::Continue(())
    }
}

fn run(pieces: &[&[u8]], max_item: usize) -> (Elements, Option<String>) {
    let mut decoder = JsonArrayDecoder::new(max_item);
    let mut elements = Vec::new();
    for piece in pieces {
        assert!(decoder.feed(piece, &mut take(&mut elements)).is_continue());
        assert!(decoder.held_bytes() <= 2 * max_item.max(8));
    }
    assert!(decoder.finish(false, &mut take(&mut elements)).is_continue());
    (elements, decoder.fault().map(str::to_owned))
}

fn whole(elements: &[&str]) -> Elements {
    elements.iter().map(|element| ((*element).to_owned(), false)).collect()
}

#[test]
fn elements_wherever_they_are_cut() {
    let input = "\u{feff} [{\n \"a\": \"]},\\\"[{\\\\\" , \"b\":[1,[{}]]}\r\n,\r\n{\"é\":{}} , [3,\"]\"], 12 ,\"x,]\\\"\",null\t,{}]\r\n"
        .as_bytes();
    let elements = whole(&[
        "{\n \"a\": \"]},\\\"[{\\\\\" , \"b\":[1,[{}]]}",
        "{\"é\":{}}",
        "[3,\"]\"]",
        "12",
        "\"x,]\\\"\"",
        "null",
        "{}",
    ]);
    assert_eq!(run(&[input], 100), (elements.clone(), None));
    assert_eq!(run(&input.chunks(1).collect::<Vec<_>>(), 100), (elements.clone(), None));
    for at in 0..input.len() {
        assert_eq!(run(&[&input[..at], &input[at..]], 100), (elements.clone(), None), "cut at {at}");
    }
}

#[test]
fn an_element_comes_as_soon_as_it_is_complete() {
    let mut decoder = JsonArrayDecoder::new(100);
    let mut elements = Vec::new();
    let _ = decoder.feed(b"[{\"a\":1}", &mut take(&mut elements));
    assert_eq!(elements, whole(&["{\"a\":1}"]));
    let _ = decoder.feed(b",\n{\"b\":[2]", &mut take(&mut elements));
    assert_eq!(elements.len(), 1);
    let _ = decoder.feed(b"}", &mut take(&mut elements));
    assert_eq!(elements[1..], whole(&["{\"b\":[2]}"]));
    assert!(decoder.finish(true, &mut take(&mut elements)).is_continue());
    assert_eq!((elements.len(), decoder.fault()), (2, None), "a body that was cut off says so itself");
}

#[test]
fn long_elements_are_cut_and_the_next_is_whole() {
    let input = b"[{\"a\":\"0123456789\"},{\"b\":2}]";
    let expected = (vec![("{\"a\":\"0123".to_owned(), true), ("{\"b\":2}".to_owned(), false)], None);
    assert_eq!(run(&[input], 10), expected);
    assert_eq!(run(&input.chunks(1).collect::<Vec<_>>(), 10), expected);
}

#[test]
fn what_does_not_end_says_so() {
    let (elements, fault) = run(&[b"[{\"a\":1},{\"b\":"], 100);
    assert_eq!(elements, [("{\"a\":1}".to_owned(), false), ("{\"b\":".to_owned(), true)]);
    assert_eq!(fault.as_deref(), Some("it stops before its end"));
    for (input, what) in [("[{}] {", "behind its end"), ("{}", "bracket"), ("[{}},{}]", "malformed")] {
        let (elements, fault) = run(&[input.as_bytes()], 100);
        assert!(
            elements.len() <= 1 && fault.as_ref().is_some_and(|why| why.contains(what)),
            "{input}: {fault:?}"
        );
        assert_eq!(run(&input.as_bytes().chunks(1).collect::<Vec<_>>(), 100), (elements, fault), "{input}");
    }
}

#[test]
fn nothing_is_handed_on_behind_a_gap() {
    let mut decoder = JsonArrayDecoder::new(100);
    let mut elements = Vec::new();
    let _ = decoder.feed(b"[{\"a\":1},{\"b\":", &mut take(&mut elements));
    decoder.gap(5);
    let _ = decoder.feed(b"},{\"c\":3}]", &mut take(&mut elements));
    assert!(decoder.finish(false, &mut take(&mut elements)).is_continue());
    assert_eq!(elements, whole(&["{\"a\":1}"]));
    assert!(decoder.fault().is_some_and(|why| why.starts_with("5 bytes were lost")));
}

#[test]
fn it_stops_when_nothing_more_is_wanted() {
    let mut decoder = JsonArrayDecoder::new(100);
    let mut count = 0;
    let mut out = |_: Body<'_>| {
        count += 1;
        ControlFlow::Break(())
    };
    assert!(decoder.feed(b"[{},{},{}]", &mut out).is_break());
    assert_eq!(count, 1);
}
