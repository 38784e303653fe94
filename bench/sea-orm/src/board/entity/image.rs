use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "images")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    #[sea_orm(unique)]
    pub image_key: String,
    pub extension: String,
    pub owner_id: i64,
    pub feed_id: Option<i64>,
    pub position: i64,
    pub width: i64,
    pub height: i64,
    pub expire_dt: Option<i64>,
    pub thumb_width: Option<i64>,
    pub thumb_height: Option<i64>,
    #[sea_orm(belongs_to, from = "feed_id", to = "id")]
    pub feed: BelongsTo<Option<super::feed::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
