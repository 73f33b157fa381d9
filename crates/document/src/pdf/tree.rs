//! The structure of a PDF: what each piece of text is, in reading order.

use std::num::NonZeroU16;

use krilla::tagging::{Identifier, ListNumbering, Node, TableHeaderScope, Tag, TagGroup, TagKind, TagTree};

/// What a part is.
#[derive(Clone, Debug)]
pub(super) enum Role {
    /// A heading with its level, the title's being 1.
    Heading(u8, String),
    Paragraph,
    /// Parts that belong together.
    Group,
    List(bool),
    /// A list without marks: of facts.
    Facts,
    Item,
    Label,
    Body,
    Table,
    Caption,
    Head,
    Rows,
    Row,
    ColumnHeading,
    RowHeading,
    Data,
    Figure(String),
    Contents,
    ContentsItem,
    /// What leads elsewhere in the document.
    Link,
}

/// A part's place in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeId(usize);

struct Part {
    role: Role,
    parts: Vec<NodeId>,
    /// The pieces of pages that it is drawn on.
    pieces: Vec<Identifier>,
}

/// The tree, while it is made.
#[derive(Default)]
pub(super) struct Tree {
    all: Vec<Part>,
    top: Vec<NodeId>,
}

impl Tree {
    /// Adds a part at the end of another one, or of the document.
    pub(super) fn add(&mut self, within: Option<NodeId>, role: Role) -> NodeId {
        let id = NodeId(self.all.len());
        self.all.push(Part { role, parts: Vec::new(), pieces: Vec::new() });
        match within {
            Some(parent) => self.all[parent.0].parts.push(id),
            None => self.top.push(id),
        }
        id
    }

    /// Notes a piece of a page that shows a part.
    pub(super) fn shown(&mut self, id: NodeId, piece: Identifier) {
        self.all[id.0].pieces.push(piece);
    }

    /// The finished tree.
    pub(super) fn finish(self, language: &str) -> TagTree {
        let mut groups: Vec<Option<TagGroup>> = Vec::new();
        groups.resize_with(self.all.len(), || None);
        // A part stands before all that are within it, so that the last can be finished first.
        for (place, part) in self.all.into_iter().enumerate().rev() {
            let pieces = part.pieces.into_iter().map(Node::from);
            let parts = part.parts.iter().filter_map(|id| groups[id.0].take()).map(Node::from);
            let children = pieces.chain(parts).collect();
            groups[place] = Some(TagGroup::with_children(tag(part.role), children));
        }
        let mut tree = TagTree::new().with_lang(Some(language.to_owned()));
        for id in self.top {
            if let Some(group) = groups[id.0].take() {
                tree.push(group);
            }
        }
        tree
    }
}

fn tag(role: Role) -> TagKind {
    match role {
        Role::Heading(level, title) => {
            Tag::Hn(NonZeroU16::new(u16::from(level)).unwrap_or(NonZeroU16::MIN), Some(title)).into()
        }
        Role::Paragraph => Tag::P.into(),
        Role::Group => Tag::Div.into(),
        Role::List(true) => Tag::L(ListNumbering::Decimal).into(),
        Role::List(false) => Tag::L(ListNumbering::Disc).into(),
        Role::Facts => Tag::L(ListNumbering::None).into(),
        Role::Item => Tag::LI.into(),
        Role::Label => Tag::Lbl.into(),
        Role::Body => Tag::LBody.into(),
        Role::Table => Tag::Table.into(),
        Role::Caption => Tag::Caption.into(),
        Role::Head => Tag::THead.into(),
        Role::Rows => Tag::TBody.into(),
        Role::Row => Tag::TR.into(),
        Role::ColumnHeading => Tag::TH(TableHeaderScope::Column).into(),
        Role::RowHeading => Tag::TH(TableHeaderScope::Row).into(),
        Role::Data => Tag::TD.into(),
        Role::Figure(alternative) => Tag::Figure(Some(alternative)).into(),
        Role::Contents => Tag::TOC.into(),
        Role::ContentsItem => Tag::TOCI.into(),
        Role::Link => Tag::Link.into(),
    }
}

impl NodeId {
    /// No place: for what is only measured.
    pub(super) fn nowhere() -> Self {
        Self(usize::MAX)
    }
}
