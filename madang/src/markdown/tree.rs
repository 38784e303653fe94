//! What the board makes of a tree before it is written.

use std::mem;

use comrak::{
    Arena, Node,
    nodes::{AstNode, NodeLink, NodeValue},
};
use url::Url;

use super::{SCHEMES, address};

/// Lists, quotes and emphasis in each other. Deeper ones keep their words only: a browser's stack is short, and a reader of HTML
/// needs the square of the depth.
pub(super) const MOST_LEVELS: u16 = 100;

/// Where a node is.
#[derive(Clone, Copy)]
struct Place {
    level: u16,
    in_link: bool,
}

/// Shifts headings, makes images links, shows raw HTML, and takes off links that lead where we do not follow, or markup that is too
/// deep.
pub(super) fn tame<'a>(arena: &'a Arena<'a>, root: Node<'a>) {
    // A list instead of recursion: a tree can be deeper than our stack.
    let mut rest = vec![(root, Place { level: 0, in_link: false })];
    while let Some((node, mut place)) = rest.pop() {
        let stays = tame_one(arena, node, &mut place);
        rest.extend(node.children().map(|child| (child, place)));
        if !stays {
            node.children().collect::<Vec<_>>().into_iter().for_each(|child| node.insert_before(child));
            node.detach();
        }
    }
}

/// Whether the node stays. Otherwise its children take its place.
fn tame_one<'a>(arena: &'a Arena<'a>, node: Node<'a>, place: &mut Place) -> bool {
    let mut data = node.data_mut();
    let width = (data.sourcepos.end.column + 1).saturating_sub(data.sourcepos.start.column);
    let value = &mut data.value;
    match value {
        NodeValue::Heading(heading) => heading.level = (heading.level + 1).min(6),
        // comrak would write some languages in ways of their own.
        NodeValue::CodeBlock(code) => code.info.clear(),
        NodeValue::HtmlBlock(html) => {
            let html = mem::take(&mut html.literal);
            *value = NodeValue::Paragraph;
            show(arena, node, &html);
        }
        NodeValue::Image(image) => {
            let mut link = mem::take(image);
            if node.first_child().is_none() {
                node.append(new(arena, NodeValue::Text(link.url.clone().into())));
            }
            let stays = tame_link(&mut link, place);
            *value = NodeValue::Link(link);
            return stays;
        }
        NodeValue::Link(link) => {
            shorten(arena, node, link, width);
            return tame_link(link, place);
        }
        NodeValue::BlockQuote | NodeValue::List(_) | NodeValue::Emph | NodeValue::Strong | NodeValue::Strikethrough => {
            place.level += 1;
            return place.level <= MOST_LEVELS;
        }
        NodeValue::Item(_) => return place.level <= MOST_LEVELS,
        _ => {}
    }
    true
}

/// Lines of raw HTML as those of a paragraph.
fn show<'a>(arena: &'a Arena<'a>, paragraph: Node<'a>, html: &str) {
    for (n, line) in html.trim_end().lines().enumerate() {
        if n > 0 {
            paragraph.append(new(arena, NodeValue::SoftBreak));
        }
        paragraph.append(new(arena, NodeValue::Text(line.to_owned().into())));
    }
}

/// Whether the link stays. One in a link would end the outer one.
fn tame_link(link: &mut NodeLink, place: &mut Place) -> bool {
    let Some(url) = followed(&link.url).filter(|_| !place.in_link) else { return false };
    link.url = url;
    place.in_link = true;
    true
}

/// A link as browsers read it, if it leads where we follow: they see `java\tscript:` as one word.
fn followed(link: &str) -> Option<String> {
    let url = Url::parse(link).ok()?;
    // comrak would spoil the brackets of an address of IPv6.
    let spoiled = url.host_str().is_some_and(|host| host.starts_with('['));
    (SCHEMES.contains(&url.scheme()) && !spoiled).then(|| url.into())
}

/// Ends a bare address where a particle begins. A link of more bytes than the address is not bare.
fn shorten<'a>(arena: &'a Arena<'a>, node: Node<'a>, link: &mut NodeLink, width: usize) {
    let Some(child) = node.first_child() else { return };
    let NodeValue::Text(text) = &mut child.data_mut().value else { return };
    // What `www.` begins has got a scheme.
    let Some(scheme) = link.url.strip_suffix(&**text).map(str::len).filter(|_| text.len() == width) else { return };
    let end = address::end(text);
    if end < text.len() {
        node.insert_after(new(arena, NodeValue::Text(text[end..].to_owned().into())));
        *text = text[..end].to_owned().into();
        link.url.truncate(scheme + end);
    }
}

fn new<'a>(arena: &'a Arena<'a>, value: NodeValue) -> Node<'a> {
    arena.alloc(AstNode::from(value))
}
