use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub email: String,
    #[sea_orm(unique)]
    pub email_key: String,
    pub nickname: String,
    #[sea_orm(unique)]
    pub nickname_key: String,
    pub password_hash: String,
    pub token_epoch: i64,
    pub create_dt: i64,
    pub is_admin: bool,
    pub suspended_dt: Option<i64>,
    pub erased_dt: Option<i64>,
    pub feed_count: i64,
    pub comment_count: i64,
    pub follower_count: i64,
    pub following_count: i64,
    #[sea_orm(has_many)]
    pub logins: HasMany<super::login::Entity>,
    #[sea_orm(has_many)]
    pub feeds: HasMany<super::feed::Entity>,
    #[sea_orm(has_many)]
    pub comments: HasMany<super::comment::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
