use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "follows")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub follower_id: i64,
    pub following_id: i64,
    pub create_dt: i64,
    #[sea_orm(belongs_to, relation_enum = "Follower", from = "follower_id", to = "id")]
    pub follower: BelongsTo<super::user::Entity>,
    #[sea_orm(belongs_to, relation_enum = "Following", from = "following_id", to = "id")]
    pub following: BelongsTo<super::user::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
