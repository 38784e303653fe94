use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "comments")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub feed_id: i64,
    pub author_id: i64,
    pub content: String,
    pub like_count: i64,
    pub create_dt: i64,
    pub update_dt: i64,
    #[sea_orm(belongs_to, from = "feed_id", to = "id")]
    pub feed: BelongsTo<super::feed::Entity>,
    #[sea_orm(belongs_to, from = "author_id", to = "id")]
    pub author: BelongsTo<super::user::Entity>,
    #[sea_orm(has_many)]
    pub likes: HasMany<super::comment_like::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
